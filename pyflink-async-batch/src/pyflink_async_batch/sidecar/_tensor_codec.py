"""
Tensors as they travel: little-endian, row-major. In between they are numpy arrays, those of BYTES
with ``bytes`` or ``str`` as elements.
"""

import math
from typing import Any, List, Sequence, Tuple

import numpy as np

from pyflink_async_batch.sidecar._sidecar_error import invalid
from pyflink_async_batch.sidecar._tensor_spec import TensorSpec

_LENGTH_BYTES = 4
_BF16 = np.dtype("<u2")

_CONTENTS_FIELDS = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def check_shape(name: str, spec: TensorSpec, shape: Sequence[int]) -> Tuple[int, ...]:
    """:raises SidecarError: the shape of an input is not that of its specification."""
    dims = tuple(shape)
    fits = len(dims) == len(spec.shape) and all(
        dim > 0 and wanted in (-1, dim) for dim, wanted in zip(dims, spec.shape)
    )
    if not fits:
        raise invalid(
            f"input '{name}' must have shape {list(spec.shape)} with positive dimensions, "
            f"got {list(dims[:16])}"
        )
    return dims


def byte_size(spec: TensorSpec, shape: Sequence[int]) -> int:
    """Bytes of a tensor of any type but BYTES."""
    item = _BF16.itemsize if spec.datatype == "BF16" else spec.dtype.itemsize
    return math.prod(shape) * int(item)


def read(name: str, spec: TensorSpec, shape: Tuple[int, ...], data: Any) -> Any:
    """
    :param shape: as :func:`check_shape` returned it.
    :param data: the raw contents; the array refers to them where it can.
    :raises SidecarError: they are not a tensor of that shape.
    """
    data = memoryview(data)
    if spec.datatype == "BYTES":
        return _elements(name, spec, _split(name, data, math.prod(shape)), shape)
    expected = byte_size(spec, shape)
    if data.nbytes != expected:
        raise invalid(
            f"input '{name}' of {spec.datatype} and shape {list(shape)} must have {expected} "
            f"bytes, got {data.nbytes}"
        )
    if spec.datatype == "BF16":
        halves = np.frombuffer(data, _BF16).astype("<u4")
        return (halves << np.uint32(16)).view("<f4").reshape(shape)
    array = np.frombuffer(data, spec.dtype).reshape(shape)
    # Arrow and models expect values at their natural boundaries.
    return array if array.flags.aligned else array.copy()


def read_contents(name: str, spec: TensorSpec, shape: Tuple[int, ...], contents: Any) -> Any:
    """
    As :func:`read`, of typed contents.

    :param contents: the ``InferTensorContents``.
    """
    field = _CONTENTS_FIELDS.get(spec.datatype)
    if field is None:
        raise invalid(f"input '{name}' of {spec.datatype} must have raw contents")
    values = getattr(contents, field)
    expected = math.prod(shape)
    if len(values) != expected:
        raise invalid(
            f"input '{name}' of shape {list(shape)} must have {expected} values in {field}, "
            f"got {len(values)}"
        )
    if spec.datatype == "BYTES":
        return _elements(name, spec, list(values), shape)
    array = np.array(values)
    if spec.dtype.kind in "iu":
        limits = np.iinfo(spec.dtype)
        if array.min() < limits.min or array.max() > limits.max:
            raise invalid(f"input '{name}' has values that are out of the range of {spec.datatype}")
    return array.astype(spec.dtype, copy=False).reshape(shape)


def write(spec: TensorSpec, array: Any) -> Any:
    """
    :param array: of the specification's dtype.
    :return: its raw contents, as bytes or as a view of the array's memory.
    """
    if spec.datatype == "BYTES":
        return _joined(array)
    if spec.datatype == "BF16":
        return _bf16(array).tobytes()
    contiguous = np.ascontiguousarray(array, spec.dtype)
    return memoryview(contiguous.reshape(-1).view(np.uint8))


def _split(name: str, data: memoryview, count: int) -> List[bytes]:
    elements: List[bytes] = []
    position, end = 0, data.nbytes
    while position + _LENGTH_BYTES <= end:
        start = position + _LENGTH_BYTES
        stop = start + int.from_bytes(data[position:start], "little")
        if stop > end or len(elements) == count:
            break
        elements.append(bytes(data[start:stop]))
        position = stop
    if len(elements) != count or position != end:
        raise invalid(
            f"input '{name}' must have exactly {count} elements of BYTES, each after its length "
            f"in 4 bytes; after element {len(elements)} it is otherwise"
        )
    return elements


def _elements(name: str, spec: TensorSpec, elements: List[Any], shape: Tuple[int, ...]) -> Any:
    if spec.text:
        try:
            elements = [element.decode("utf-8") for element in elements]
        except UnicodeDecodeError:
            raise invalid(f"input '{name}' must be text in UTF-8") from None
    array = np.empty(len(elements), object)
    array[:] = elements
    return array.reshape(shape)


def _joined(array: Any) -> bytes:
    parts: List[bytes] = []
    for element in array.reshape(-1):
        data = element.encode("utf-8") if isinstance(element, str) else element
        parts.append(len(data).to_bytes(_LENGTH_BYTES, "little"))
        parts.append(data)
    return b"".join(parts)


def _bf16(array: Any) -> Any:
    bits = np.ascontiguousarray(array, "<f4").view("<u4")
    # To the nearest, and of two to the even one, as hardware does; NaN must not become infinite.
    rounded = (bits + (((bits >> np.uint32(16)) & np.uint32(1)) + np.uint32(0x7FFF))) >> np.uint32(
        16
    )
    nan = (bits >> np.uint32(16)) | np.uint32(0x40)
    return np.where(np.isnan(array), nan, rounded).astype(_BF16)
