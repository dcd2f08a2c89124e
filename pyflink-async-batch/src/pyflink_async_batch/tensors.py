"""
Tensors in columns, for an :class:`~pyflink_async_batch.ArrowAsyncBatchFunction`: each row of a
column of lists, or of bytes, is one tensor of the same shape, and the rows of a batch lie one after
the other in memory. So a whole batch reaches numpy, torch or onnxruntime as one array of shape
``(rows, *shape)`` without copying a value.

::

    >>> images = tensor_batch(inputs, (224, 224, 3))  # bytes: uint8
    >>> vectors = session.run(None, {"images": images})[0]
    >>> return vectors  # rows of a LIST or PRIMITIVE_ARRAY

Whatever these functions return shares the memory of what they were given and keeps it alive.
"""

import math
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
import pyarrow as pa

from pyflink_async_batch.errors import UnsupportedEnvironmentError

__all__ = ["as_tensors", "column_of", "tensor_batch"]

_MAX_OFFSET = 2**31 - 1


def tensor_batch(column: Any, shape: Sequence[int], dtype: Any = None) -> Any:
    """
    The tensors of a column as one array.

    :param column: A ``pyarrow.Array`` of lists of numbers, of fixed-size lists, of binary, or a
                   ``FixedShapeTensorArray``; one tensor a row, in row-major order.
    :param shape: The shape of each tensor, one or more positive integers.
    :param dtype: For binary columns how the bytes are to be read, in this machine's byte order; by
                  default ``uint8``. For other columns only their own numpy dtype, which is the
                  default: numbers are never converted.
    :return: A read-only ``numpy.ndarray`` of shape ``(len(column), *shape)`` on the column's
             memory.
    :raises TypeError: The column holds something else, or numbers of another dtype.
    :raises ValueError: A row is null, holds a null, or has not exactly as many numbers as the shape
                        has; the message names the row's index.
    """
    dims = _shape(shape)
    column = _storage(column)
    kind = column.type
    if _is_binary(kind):
        wanted = np.dtype(np.uint8 if dtype is None else dtype)
        if wanted.kind not in "biufc":
            raise TypeError(f"dtype must be a number's, got {wanted}")
        data = _values_of_bytes(column, dims, wanted)
    else:
        values = _values_of_lists(column, dims)
        own = _dtype_of(values.type, kind)
        if dtype is not None and np.dtype(dtype) != own:
            raise TypeError(f"the column holds {own}, which is not converted to {np.dtype(dtype)}")
        data = values.to_numpy(zero_copy_only=True)
    tensors = data.reshape((len(column), *dims))
    tensors.flags.writeable = False
    return tensors


def as_tensors(column: Any, shape: Sequence[int], dtype: Any = None) -> Any:
    """
    The tensors of a column as Arrow's own ``fixed_shape_tensor``, which other libraries know.

    The parameters and errors are those of :func:`tensor_batch`.

    :return: A ``pyarrow.FixedShapeTensorArray`` on the column's memory.
    :raises UnsupportedEnvironmentError: The installed pyarrow is older than 12.
    """
    if not hasattr(pa, "fixed_shape_tensor"):
        raise UnsupportedEnvironmentError(
            f"as_tensors needs pyarrow 12 or later, but pyarrow {pa.__version__} is installed; "
            "tensor_batch works with it."
        )
    tensors = tensor_batch(column, shape, dtype)
    values = pa.array(tensors.reshape(-1))
    dims = list(tensors.shape[1:])
    storage = pa.FixedSizeListArray.from_arrays(values, math.prod(dims))
    return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(values.type, dims), storage)


def column_of(values: Any) -> Any:
    """
    An array's rows as a column: what a function that returns a ``RecordBatch`` makes its columns
    of. A function whose results are a single column may return the array itself.

    :param values: A ``numpy.ndarray`` of shape ``(rows,)`` or ``(rows, d, ...)`` of numbers,
                   ``bool``, ``datetime64`` or ``str``. It must not be changed afterwards.
    :return: A ``pyarrow.Array`` with a value a row, or with a list of ``d * ...`` values a row, in
             row-major order. It is on the array's memory if that is C-contiguous, in this machine's
             byte order and neither ``bool`` nor ``str``; otherwise the values are copied once.
    :raises TypeError: The array is masked, or holds other things.
    :raises ValueError: The array has no dimension, or more than 2**31 - 1 values.
    """
    if not isinstance(values, np.ndarray) or isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"expected a plain numpy.ndarray, got {_name(values)}")
    if values.dtype.kind not in "biufMU":
        raise TypeError(
            f"expected an array of numbers, bool, datetime64 or str, got {values.dtype}"
        )
    if values.ndim == 0:
        raise ValueError("expected an array with a row for each element, got one of no dimension")
    if values.size > _MAX_OFFSET:
        raise ValueError(f"expected at most {_MAX_OFFSET} values, got {values.size}")
    native = values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))
    if values.ndim == 1:
        return pa.array(native)
    row = math.prod(values.shape[1:])
    offsets = np.arange(len(values) + 1, dtype=np.int32) * np.int32(row)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(native.reshape(-1)))


def _shape(shape: Sequence[int]) -> Tuple[int, ...]:
    try:
        dims = tuple(int(dim) for dim in shape)
        good = len(dims) > 0 and all(a == b and a > 0 for a, b in zip(dims, shape))
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(f"shape must be one or more positive integers, got {shape!r}")
    return dims


def _storage(column: Any) -> Any:
    if not isinstance(column, pa.Array):
        raise TypeError(f"expected a pyarrow.Array, got {_name(column)}")
    column = column.storage if isinstance(column, pa.ExtensionArray) else column
    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not (is_list or pa.types.is_fixed_size_list(kind) or _is_binary(kind)):
        raise TypeError(f"expected a column of lists of numbers or of binary, got {kind}")
    if column.null_count:
        raise ValueError(f"row {_first_null(column)} is null, which is no tensor")
    return column


def _values_of_bytes(column: Any, dims: Tuple[int, ...], dtype: Any) -> Any:
    wanted = math.prod(dims) * dtype.itemsize
    data = column.buffers()[-1]
    if pa.types.is_fixed_size_binary(column.type):
        lengths: Any = np.full(len(column), column.type.byte_width)
        first = column.offset * column.type.byte_width
    else:
        width = np.dtype(np.int64 if pa.types.is_large_binary(column.type) else np.int32)
        offsets = _offsets(column.buffers()[1], width, column.offset, len(column))
        lengths = np.diff(offsets)
        first = int(offsets[0])
    _check_lengths(lengths, wanted, "bytes", f"shape {dims} of {dtype}")
    if len(column) == 0:
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype, count=len(column) * wanted // dtype.itemsize, offset=first)


def _values_of_lists(column: Any, dims: Tuple[int, ...]) -> Any:
    if len(column) == 0:
        # Its offsets may be missing: Arrow would read them all the same.
        return column.values.slice(0, 0)
    wanted = math.prod(dims)
    if pa.types.is_fixed_size_list(column.type):
        lengths: Any = np.full(len(column), column.type.list_size)
    else:
        lengths = np.diff(column.offsets.to_numpy())
    _check_lengths(lengths, wanted, "values", f"shape {dims}")
    values = column.flatten()
    if values.null_count:
        row, index = divmod(_first_null(values), wanted)
        raise ValueError(f"value {index} of row {row} is null, which a tensor cannot hold")
    return values


def _check_lengths(lengths: Any, wanted: int, unit: str, what: str) -> None:
    other = np.flatnonzero(lengths != wanted)
    if len(other):
        row = int(other[0])
        raise ValueError(f"row {row} has {lengths[row]} {unit}, expected {wanted} for {what}")


def _dtype_of(value_type: Any, kind: Any) -> Any:
    # Booleans are bits, which numpy has not.
    if not (pa.types.is_integer(value_type) or pa.types.is_floating(value_type)):
        raise TypeError(f"expected a column of lists of numbers, got {kind}")
    return np.dtype(value_type.to_pandas_dtype())


def _offsets(buffer: Optional[Any], dtype: Any, start: int, count: int) -> Any:
    if count == 0:
        return np.zeros(1, dtype)
    return np.frombuffer(buffer, dtype, count=count + 1, offset=start * dtype.itemsize)


def _is_binary(kind: Any) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
    )


def _first_null(column: Any) -> int:
    valid: List[bool] = column.is_valid().to_pylist()
    return valid.index(False)


def _name(value: Any) -> str:
    return f"an object of type '{type(value).__module__}.{type(value).__qualname__}'"
