"""
What a function takes and returns, between it and tensors: a list of Python values for an
``AsyncBatchFunction``, Arrow's columns for an ``ArrowAsyncBatchFunction``.

As close as can be to what the same function sees in a job; ``docs/own-sidecar.md`` tells where it
differs.
"""

from typing import Any, Dict, List, Protocol, Sequence

import numpy as np
import pyarrow as pa
from pyflink.common import Row

from pyflink_async_batch._worker import result_check
from pyflink_async_batch._worker.result_check import InvalidResultError, Results
from pyflink_async_batch.function import ArrowAsyncBatchFunction
from pyflink_async_batch.outcomes import ColumnResults
from pyflink_async_batch.sidecar import _result_tensors
from pyflink_async_batch.sidecar._signature import Signature
from pyflink_async_batch.sidecar._tensor_spec import TensorSpec

#: The tensors of one request or answer by their names, with equally many rows.
Tensors = Dict[str, Any]


class FunctionView(Protocol):
    """The batches of one function, both ways. Used by the function's thread alone."""

    def inputs(self, requests: Sequence[Tensors]) -> Any:
        """The inputs of several requests as one batch, as the function takes it."""

    def check(self, results: Any, method: str, row_count: int) -> Results:
        """What the function returned, known to have an outcome for each input.

        :raises InvalidResultError: it has not.
        """

    def outputs(self, checked: Any, start: int, stop: int) -> Tensors:
        """The results of some of the inputs, none of which has failed, as tensors.

        :param checked: the values of what :func:`check` returned.

        :raises InvalidResultError: they do not fit the signature.
        """


def view_for(function: Any, signature: Signature) -> FunctionView:
    """The view that a function's class asks for."""
    if isinstance(function, ArrowAsyncBatchFunction):
        return ColumnView(signature)
    return RowView(signature)


class RowView:
    """Lists with a value for each row, or with a ``Row`` where there are several tensors."""

    def __init__(self, signature: Signature) -> None:
        self._inputs = signature.inputs
        self._outputs = signature.outputs

    def inputs(self, requests: Sequence[Tensors]) -> List[Any]:
        columns = [
            [value for request in requests for value in _values(spec, request[name])]
            for name, spec in self._inputs.items()
        ]
        if len(columns) == 1:
            return columns[0]
        names = list(self._inputs)
        rows = []
        for values in zip(*columns):
            row = Row(*values)
            row.set_field_names(names)
            rows.append(row)
        return rows

    def check(self, results: Any, method: str, row_count: int) -> Results:
        return result_check.of_list(result_check.check(results, method, row_count))

    def outputs(self, checked: Any, start: int, stop: int) -> Tensors:
        results = checked[start:stop]
        if len(self._outputs) == 1:
            return {
                name: _result_tensors.of_values(name, spec, results)
                for name, spec in self._outputs.items()
            }
        rows = [self._fields(row) for row in results]
        return {
            name: _result_tensors.of_values(name, spec, [row[index] for row in rows])
            for index, (name, spec) in enumerate(self._outputs.items())
        }

    def _fields(self, row: Any) -> List[Any]:
        names = list(self._outputs)
        if not isinstance(row, Row):
            raise InvalidResultError(
                f"each result must be a Row with the outputs {names}, got '{type(row).__name__}'"
            )
        own = getattr(row, "_fields", None)
        if own is None:
            if len(row) != len(names):
                raise InvalidResultError(f"each result must have {names}, got {len(row)} fields")
            return list(row)
        if sorted(own) != sorted(names):
            raise InvalidResultError(f"each result must have the fields {names}, got {list(own)}")
        return [row[name] for name in names]


class ColumnView:
    """A ``pyarrow.Array``, or a ``RecordBatch`` where there are several tensors."""

    def __init__(self, signature: Signature) -> None:
        self._inputs = signature.inputs
        self._outputs = signature.outputs

    def inputs(self, requests: Sequence[Tensors]) -> Any:
        columns = [
            _column(spec, _merged([request[name] for request in requests]))
            for name, spec in self._inputs.items()
        ]
        if len(columns) == 1:
            return columns[0]
        return pa.RecordBatch.from_arrays(columns, names=list(self._inputs))

    def check(self, results: Any, method: str, row_count: int) -> Results:
        if not isinstance(results, ColumnResults):
            return Results(self._check_columns(results, method, row_count), {})
        for index in results.failures:
            if not 0 <= index < row_count:
                raise InvalidResultError(
                    f"The result of '{method}' has a failure of row {index}, which is none of its "
                    f"{row_count} rows."
                )
        return Results(self._check_columns(results.values, method, row_count), results.failures)

    def _check_columns(self, results: Any, method: str, row_count: int) -> Any:
        if len(self._outputs) == 1:
            kinds: Any = (pa.Array, pa.ChunkedArray, np.ndarray)
            accepted = "a pyarrow.Array, a pyarrow.ChunkedArray or a numpy.ndarray"
        else:
            kinds = (pa.RecordBatch, pa.Table)
            accepted = "a pyarrow.RecordBatch or pyarrow.Table"
        if not isinstance(results, kinds) or isinstance(results, np.ma.MaskedArray):
            raise InvalidResultError(
                f"The result of '{method}' should be {accepted}, but is of type "
                f"'{type(results).__name__}'."
            )
        rows = getattr(results, "num_rows", None)
        if rows is None:
            rows = results.shape[0] if getattr(results, "shape", None) else len(results)
        if rows != row_count:
            raise InvalidResultError(
                f"The result of '{method}' should have {row_count} rows, but has {rows}."
            )
        if len(self._outputs) == 1:
            return results
        names = list(results.schema.names)
        if sorted(names) != sorted(self._outputs):
            raise InvalidResultError(
                f"The result of '{method}' should have the columns {list(self._outputs)}, "
                f"but has {names}."
            )
        return results

    def outputs(self, checked: Any, start: int, stop: int) -> Tensors:
        tensors = {}
        for name, spec in self._outputs.items():
            column = checked if len(self._outputs) == 1 else checked.column(name)
            if isinstance(column, np.ndarray):
                tensors[name] = _result_tensors.of_array(name, spec, column[start:stop])
            else:
                rows = column.slice(start, stop - start)
                tensors[name] = _result_tensors.of_column(name, spec, rows)
        return tensors


def _values(spec: TensorSpec, tensor: Any) -> Any:
    # Single values, and text at any depth, are Python's own; other rows are views of the tensor.
    if not spec.row_shape or spec.datatype == "BYTES":
        return tensor.tolist()
    return list(tensor)


def _merged(tensors: Sequence[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else np.concatenate(tensors)


def _column(spec: TensorSpec, tensor: Any) -> Any:
    flat = tensor.reshape(-1)
    if spec.datatype == "BYTES":
        values = pa.array(flat.tolist(), pa.utf8() if spec.text else pa.binary())
    elif spec.datatype == "BOOL":
        values = pa.array(flat)  # bits, which numpy has not
    else:
        arrow_type = pa.from_numpy_dtype(spec.dtype)
        values = pa.Array.from_buffers(arrow_type, len(flat), [None, pa.py_buffer(flat)])
    row_shape = tensor.shape[1:]
    if spec.datatype in ("BYTES", "BOOL"):
        for dim in reversed(row_shape):
            values = pa.FixedSizeListArray.from_arrays(values, dim)
        return values
    if not row_shape:
        return values
    storage = pa.FixedSizeListArray.from_arrays(values, flat.size // len(tensor))
    if len(row_shape) == 1 or not hasattr(pa, "fixed_shape_tensor"):  # before pyarrow 12
        return storage
    return pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(values.type, list(row_shape)), storage
    )
