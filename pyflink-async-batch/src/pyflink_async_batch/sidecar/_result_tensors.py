"""Makes tensors of what a function returned, without losing anything that its types say."""

import math
from typing import Any, List, Tuple

import numpy as np
import pyarrow as pa

from pyflink_async_batch._worker.result_check import InvalidResultError
from pyflink_async_batch.sidecar._tensor_spec import TensorSpec
from pyflink_async_batch.tensors import tensor_batch


def of_values(name: str, spec: TensorSpec, values: List[Any]) -> Any:
    """
    :param name: of the output, for errors.
    :param values: a value for each row: numbers, ``str`` or ``bytes``, or for rows of one or more
                   dimensions arrays, or lists of them.
    :return: an array of the specification's dtype, a row for each value.
    :raises InvalidResultError: a value does not fit.
    """
    if spec.datatype == "BYTES":
        return _bytes_of_values(name, spec, values)
    if any(value is None for value in values):
        raise _misfit(name, spec, "null")
    has_bool = any(isinstance(value, (bool, np.bool_)) for value in values)
    if has_bool and spec.datatype != "BOOL":
        # Among integers numpy would make integers of them.
        raise _misfit(name, spec, "bool")
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError, TypeError):
        # Rows of different shapes, or an int beyond 64 bits.
        raise _misfit(name, spec, "values of different shapes or out of range") from None
    return of_array(name, spec, array)


def of_array(name: str, spec: TensorSpec, array: Any) -> Any:
    """
    :param array: of numpy, a row for each result.
    :return: the same with the specification's dtype; shares the memory if it has it already.
    :raises InvalidResultError: shape or values do not fit.
    """
    if spec.datatype == "BYTES":
        return _bytes_of_values(name, spec, array.tolist())
    _check_shape(name, spec, array.shape)
    return _converted(name, spec, array)


def of_column(name: str, spec: TensorSpec, column: Any) -> Any:
    """
    :param column: a ``pyarrow.Array`` or ``ChunkedArray``, a row for each result.
    :return: as :func:`of_array`.
    :raises InvalidResultError: the column does not fit.
    """
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks)
    if column.null_count:
        raise _misfit(name, spec, "null")
    if spec.datatype == "BYTES" or (spec.datatype == "BOOL" and spec.row_shape):
        # Not as they lie there: elements of any length, and bits.
        return of_values(name, spec, column.to_pylist())
    try:
        if spec.row_shape:
            return of_array(name, spec, _tensors(spec, column))
        if isinstance(column, pa.ExtensionArray):
            column = column.storage
        if not (pa.types.is_primitive(column.type) and not pa.types.is_temporal(column.type)):
            raise _misfit(name, spec, str(column.type))
        return of_array(name, spec, column.to_numpy(zero_copy_only=False))
    except (TypeError, ValueError) as error:
        if isinstance(error, InvalidResultError):
            raise
        raise InvalidResultError(f"output '{name}' does not fit: {error}") from error


def _tensors(spec: TensorSpec, column: Any) -> Any:
    shape = spec.row_shape
    own = getattr(column.type, "shape", None)
    if own is not None:
        shape = tuple(own)
    elif shape.count(-1) == 1:
        item = column[0].as_py()
        count = len(item) // spec.dtype.itemsize if isinstance(item, bytes) else len(item)
        shape = tuple(
            max(1, count // -math.prod(spec.row_shape)) if dim == -1 else dim for dim in shape
        )
    is_binary = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    return tensor_batch(column, shape, spec.dtype if is_binary else None)


def _converted(name: str, spec: TensorSpec, array: Any) -> Any:
    wanted, kind = spec.dtype, array.dtype.kind
    if array.dtype == wanted:
        return array
    if wanted.kind in "iu" and kind in "iu":
        limits = np.iinfo(wanted)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise _misfit(name, spec, "a value out of its range")
        return array.astype(wanted)
    if wanted.kind == "f" and kind in "iu":
        exact = 2 ** (np.finfo(wanted).nmant + 1)
        if array.size and (array.min() < -exact or array.max() > exact):
            raise _misfit(name, spec, "an integer that it does not hold exactly")
        return array.astype(wanted)
    if wanted.kind == "f" and kind == "f":
        with np.errstate(over="ignore"):
            converted = array.astype(wanted)
        if not np.array_equal(np.isinf(converted), np.isinf(array)):
            raise _misfit(name, spec, "a value out of its range")
        return converted
    raise _misfit(name, spec, str(array.dtype))


def _bytes_of_values(name: str, spec: TensorSpec, values: List[Any]) -> Any:
    array = np.empty(_nested_shape(values, len(spec.shape)), object)
    _check_shape(name, spec, array.shape)
    flat = values
    for _ in spec.row_shape:
        flat = [item for row in flat for item in row]
    wanted = str if spec.text else (bytes, bytearray, memoryview)
    for item in flat:
        if not isinstance(item, wanted):
            raise _misfit(name, spec, type(item).__name__)
    if len(flat) != array.size:
        raise _misfit(name, spec, "rows of different shapes")
    array.reshape(-1)[:] = flat if spec.text else [bytes(item) for item in flat]
    return array


def _nested_shape(values: Any, depth: int) -> Tuple[int, ...]:
    shape = []
    for _ in range(depth):
        if not isinstance(values, (list, tuple, np.ndarray)):
            break
        shape.append(len(values))
        if not len(values):
            break
        values = values[0]
    return tuple(shape)


def _check_shape(name: str, spec: TensorSpec, shape: Tuple[int, ...]) -> None:
    fits = len(shape) == len(spec.shape) and all(
        dim > 0 and wanted in (-1, dim) for dim, wanted in zip(shape, spec.shape)
    )
    if not fits:
        raise InvalidResultError(
            f"output '{name}' must have shape {list(spec.shape)}, got {list(shape)}"
        )


def _misfit(name: str, spec: TensorSpec, found: str) -> InvalidResultError:
    accepted = "str" if spec.text else "bytes" if spec.datatype == "BYTES" else spec.datatype
    return InvalidResultError(f"output '{name}' must be {accepted}, got {found}")
