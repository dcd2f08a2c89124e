"""What a hosted class says of its tensors."""

from dataclasses import dataclass
from typing import Any, Dict, Tuple

import numpy as np

from pyflink_async_batch.errors import InvalidOptionError

#: The protocol's names of element types, and numpy's. BF16, which numpy has not, is shown as
#: float32; elements of BYTES have no fixed size.
DTYPES: Dict[str, Any] = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "BF16": np.dtype("<f4"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
    "BYTES": np.dtype("O"),
}


@dataclass(frozen=True)
class TensorSpec:
    """
    One input or output of a hosted function.

    ::

        >>> class Classify(ArrowAsyncBatchFunction):
        ...     inputs = {"image": TensorSpec("FP32", (-1, 3, 224, 224))}
        ...     outputs = {"label": TensorSpec("BYTES", (-1,), text=True)}

    :param datatype: A name of the Open Inference Protocol: 'BOOL', 'INT8' to 'INT64', 'UINT8' to
                     'UINT64', 'FP16', 'BF16', 'FP32', 'FP64' or 'BYTES'.
    :param shape: The batch's dimension, which must be -1, and those of each row: positive, or -1
                  for one that varies from request to request.
    :param text: For 'BYTES' whether elements are ``str``, encoded as UTF-8, and not ``bytes``.
    :raises InvalidOptionError: An argument is not one of these.
    """

    datatype: str
    shape: Tuple[int, ...]
    text: bool = False

    def __post_init__(self) -> None:
        if self.datatype not in DTYPES:
            raise InvalidOptionError("datatype", self.datatype, "one of " + ", ".join(DTYPES))
        object.__setattr__(self, "shape", _checked_shape(self.shape))
        if self.text and self.datatype != "BYTES":
            raise InvalidOptionError("text", self.text, f"False for {self.datatype}")

    @property
    def row_shape(self) -> Tuple[int, ...]:
        """The dimensions of each row, empty for a single value."""
        return self.shape[1:]

    @property
    def dtype(self) -> Any:
        """The ``numpy.dtype`` of what the function is given."""
        return DTYPES[self.datatype]


def _checked_shape(shape: Any) -> Tuple[int, ...]:
    accepted = "-1 and then positive integers, or -1 for what varies"
    try:
        dims = tuple(shape)
    except TypeError:
        raise InvalidOptionError("shape", shape, accepted) from None
    integers = all(type(dim) is int and (dim > 0 or dim == -1) for dim in dims)
    if not integers or not dims or dims[0] != -1:
        raise InvalidOptionError("shape", shape, accepted)
    return dims
