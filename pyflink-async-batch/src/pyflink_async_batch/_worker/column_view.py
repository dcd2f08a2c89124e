"""What a function on columns takes and returns: Arrow arrays and record batches."""

from typing import Any, List, Sequence, Tuple, Union

import numpy as np
import pyarrow as pa

from pyflink_async_batch._worker import column_layout
from pyflink_async_batch._worker.column_types import ColumnMisfit
from pyflink_async_batch._worker.result_check import (
    InvalidResultError,
    Results,
    YieldedResultError,
    kept,
)
from pyflink_async_batch._worker.result_encoder import MisfitResultError
from pyflink_async_batch._worker.schema_types import LAYOUT_KEY, logical_type, read_schema
from pyflink_async_batch._worker.yielded_rows import indexes_of, pair_of
from pyflink_async_batch.outcomes import ColumnResults
from pyflink_async_batch.tensors import column_of

__all__ = ["ColumnView", "MisfitColumnError"]


class MisfitColumnError(InvalidResultError):
    """A whole column of the results does not fit ``output_type``.

    :param path: path of the field, "" for the result itself
    :param expected: what the field takes
    :param found: what the column is instead
    """

    def __init__(self, path: str, expected: str, found: str) -> None:
        where = f" at field '{path}'" if path else ""
        super().__init__(
            f"The results do not fit output_type{where}: expected {expected}, got {found}."
        )
        self.path = path
        self.expected = expected
        self.found = found

    def __reduce__(self) -> Any:
        return type(self), (self.path, self.expected, self.found)


class ColumnView:
    """The batches of one function on columns. Lives on the event loop's thread.

    :param input_schema: the operator's schema of the inputs, or the bytes of its Arrow IPC message
    :param output_schema: that of the results
    """

    #: What the function is given lies in the batch's memory, for as long as the function keeps it.
    shares_memory = True

    def __init__(
        self, input_schema: Union[pa.Schema, bytes], output_schema: Union[pa.Schema, bytes]
    ) -> None:
        self._inputs = _columns(read_schema(input_schema))
        self._results = _columns(read_schema(output_schema))

    def inputs(self, batch: pa.RecordBatch) -> Any:
        """Returns the columns of a batch as the function takes them, without a copy.

        :raise MalformedBatch: if there is a null where the schema promises none
        :raise RowKindError: if there is a row that is no insert
        """
        return self._inputs.show(batch)

    def check(self, results: Any, method: str, row_count: int) -> Results:
        """Checks that the results are such as :func:`encode` takes, with a row for each input.

        :param results: what the user's method returned
        :param method: the qualified name of that method, for the error
        :return: the columns, as they are, and which of their rows failed
        :raises InvalidResultError: if they are not
        """
        if not isinstance(results, ColumnResults):
            return Results(self._check_columns(results, method, row_count), {})
        values = self._check_columns(results.values, method, row_count)
        for index in results.failures:
            if not 0 <= index < row_count:
                raise InvalidResultError(
                    "The result of '%s' has a failure of row %d, which is none of its %d rows."
                    % (method, index, row_count)
                )
        return Results(values, results.failures)

    def _check_columns(self, results: Any, method: str, row_count: int) -> Any:
        accepted = self._results.accepted
        if results is None:
            raise InvalidResultError(
                "The result of '%s' cannot be none: it should be %s, with one row for each of the "
                "%d inputs." % (method, accepted, row_count)
            )
        if not isinstance(results, self._results.containers):
            raise InvalidResultError(
                "The result of '%s' should be %s, with one row for each of the %d inputs, but is "
                "of type '%s'.%s" % (method, accepted, row_count, _name(results), _hint(results))
            )
        count = results.shape[:1] if isinstance(results, np.ndarray) else (len(results),)
        if count != (row_count,):
            raise InvalidResultError(
                "The result of '%s' should have one row for each of the %d inputs, but has %s."
                % (method, row_count, count[0] if count else "no dimension")
            )
        return results

    def yielded(self, item: Any, method: str) -> Tuple[Sequence[int], Results]:
        """Takes pairs of indexes and columns with as many rows."""
        given, columns = pair_of(item, method, "pairs of indexes and columns with as many rows")
        rows = indexes_of(given, method)
        try:
            return rows, self.check(columns, method, len(rows))
        except InvalidResultError as error:
            raise YieldedResultError(
                "What '%s' yielded does not fit its %d indexes: %s" % (method, len(rows), error)
            ) from None

    def gather(
        self, pieces: Sequence[Tuple[Sequence[int], Results]]
    ) -> List[Tuple[Sequence[int], Results]]:
        """Joins none: that would be a copy."""
        return list(pieces)

    def pick(self, results: Results, positions: Sequence[int]) -> Results:
        """Returns a copy of some rows, or the very columns if that is all of them in order."""
        values = results.values
        if list(positions) == list(range(len(values))):
            return results
        failures = {
            new: results.failures[old]
            for new, old in enumerate(positions)
            if old in results.failures
        }
        return Results(_taken(values, positions), failures)

    def join(self, inputs: Sequence[Any]) -> Any:
        """Returns the columns of several batches as those of one, which is a copy."""
        first = inputs[0]
        if not isinstance(first, pa.RecordBatch):
            return pa.concat_arrays(inputs)
        columns = [pa.concat_arrays(pieces) for pieces in zip(*(each.columns for each in inputs))]
        return pa.RecordBatch.from_arrays(columns, schema=first.schema)

    def part(self, results: Results, row_counts: Sequence[int]) -> List[Any]:
        """Returns a view of checked results for each batch."""
        parts = []
        start = 0
        for count in row_counts:
            values = _rows(results.values, start, count)
            failures = {
                index - start: failure
                for index, failure in results.failures.items()
                if start <= index < start + count
            }
            parts.append(ColumnResults(values, failures) if failures else values)
            start += count
        return parts

    def encode(self, results: Results) -> pa.RecordBatch:
        """Returns the results as a batch of the output schema, if possible on their own memory.

        :raise InvalidResultError: naming the field that does not fit, what it holds, and what is
            accepted
        """
        values, positions = results.values, None
        if results.failures:
            positions = kept(results, len(values))
            values = _taken(values, positions)
        try:
            return self._results.take(values)
        except ColumnMisfit as misfit:
            parts = (misfit.path, misfit.expected, misfit.found)
            if misfit.position is None:
                raise MisfitColumnError(*parts) from None
            position = misfit.position if positions is None else positions[misfit.position]
            raise MisfitResultError(position, *parts) from None


class _ValueColumn:
    """Elements that are single values: one array."""

    containers = (pa.Array, pa.ChunkedArray, np.ndarray)
    accepted = "a pyarrow.Array or a numpy.ndarray"

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._type = column_layout.column_type(schema.field(0))

    def show(self, batch: pa.RecordBatch) -> pa.Array:
        return self._type.show(batch.column(0))

    def take(self, results: Any) -> pa.RecordBatch:
        if isinstance(results, np.ndarray):
            try:
                results = column_of(results)
            except (TypeError, ValueError, pa.ArrowException) as error:
                raise InvalidResultError(f"The results make no column: {error}") from error
        _validate(results)
        column = self._type.take(_combined(results))
        return pa.RecordBatch.from_arrays([column], schema=self._schema)


class _FieldColumns:
    """Elements that are rows or tuples: one record batch."""

    containers = (pa.RecordBatch, pa.Table)
    accepted = "a pyarrow.RecordBatch or pyarrow.Table"

    def __init__(self, schema: pa.Schema, layout: str) -> None:
        self._schema = schema
        fields = [schema.field(i) for i in range(len(schema.names))]
        self._members = column_layout.members(layout, fields)
        shown = fields[len(fields) - len(self._members.names) :]
        self._shown = pa.schema(
            [
                pa.field(field.name, kind, field.nullable)
                for field, kind in zip(shown, self._members.shown_types)
            ]
        )

    def show(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return pa.RecordBatch.from_arrays(self._members.show(batch.columns), schema=self._shown)

    def take(self, results: Any) -> pa.RecordBatch:
        _validate(results)
        names = results.schema.names
        if names == self._members.names:
            columns = results.columns
        else:
            other = self._members.other_names(names)
            if other is not None:
                raise InvalidResultError(f"The results do not fit output_type: they have {other}.")
            columns = [results.column(name) for name in self._members.names]
        taken = self._members.take([_combined(column) for column in columns], results.num_rows)
        return pa.RecordBatch.from_arrays(taken, schema=self._schema)


def _columns(schema: pa.Schema) -> Union[_ValueColumn, _FieldColumns]:
    layout = logical_type(schema.metadata, LAYOUT_KEY)
    return _ValueColumn(schema) if layout == "VALUE" else _FieldColumns(schema, layout)


def _rows(results: Any, start: int, count: int) -> Any:
    if isinstance(results, np.ndarray):
        return results[start : start + count]
    return results.slice(start, count)


def _taken(values: Any, positions: Sequence[int]) -> Any:
    if isinstance(values, np.ndarray):
        return values[list(positions)]
    _validate(values)
    try:
        return values.take(pa.array(positions, pa.int64()))
    except pa.ArrowException as error:
        raise InvalidResultError(f"Some rows of the results cannot be taken: {error}") from error


def _validate(results: Any) -> None:
    """Down to the last offset and character: user code can build arrays of any bytes."""
    try:
        results.validate(full=True)
    except pa.ArrowException as error:
        raise InvalidResultError(f"The results are no valid Arrow data: {error}") from error


def _combined(column: Any) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    chunks: List[pa.Array] = column.chunks
    if isinstance(column.type, pa.BaseExtensionType):
        chunks = [chunk.storage for chunk in chunks]
    try:
        return pa.concat_arrays(chunks) if chunks else pa.nulls(0)
    except pa.ArrowException as error:
        raise InvalidResultError(f"The results' chunks make no single column: {error}") from error


def _name(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _hint(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return (
            " Make an array of it with 'pyarrow.array', or use an AsyncBatchFunction, which returns"
            " lists."
        )
    if isinstance(value, (pa.RecordBatch, pa.Table)):
        return " A single column is its method 'column(0)'."
    if hasattr(value, "detach") and hasattr(value, "numpy"):
        return " Call its methods 'detach().cpu().numpy()'."
    if hasattr(value, "to_numpy"):
        return " Call its method 'to_numpy', or make an array of it with 'pyarrow.array'."
    return ""
