"""Which errors say that a call had too many rows, so that fewer may succeed.

None of the libraries that raise them is imported here: where one was not, it raised nothing.
"""

import enum
from typing import Any, Iterator

from pyflink_async_batch.outcomes import BatchTooLarge

__all__ = ["Size", "causes", "is_too_large", "said_of_size"]

# By which a server says when to come back: it has too much to do, whatever the size of a request.
_PUSHBACKS = frozenset({"grpc-retry-pushback-ms", "retry-after"})
_DETAILS = "grpc-status-details-bin"
_RETRY_INFO = b"google.rpc.RetryInfo"


class Size(enum.Enum):
    """What an error says of the size of its call."""

    NOTHING = enum.auto()
    #: gRPC has one status for a server without memory and for one with too much to do.
    MAY_BE_TOO_LARGE = enum.auto()
    TOO_LARGE = enum.auto()


def is_too_large(error: BaseException) -> bool:
    """Whether the error, or what it was raised from, is about the size of the batch for certain."""
    return said_of_size(error) is Size.TOO_LARGE


def said_of_size(error: BaseException) -> Size:
    """What the error, or what it was raised from, says of the size of the batch."""
    for cause in causes(error):
        said = _said_by(cause)
        if said is not Size.NOTHING:
            return said
    return Size.NOTHING


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it was raised from."""
    seen = set()
    cause: Any = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__


def _said_by(error: BaseException) -> Size:
    if isinstance(error, (BatchTooLarge, MemoryError)):
        return Size.TOO_LARGE
    for base in type(error).__mro__:
        # As torch calls its own, in whichever of its modules, and cupy.
        if base.__name__ == "OutOfMemoryError":
            return Size.TOO_LARGE
        if base.__name__ == "RpcError" and base.__module__ == "grpc":
            return Size.MAY_BE_TOO_LARGE if _is_exhausted(error) else Size.NOTHING
    return Size.NOTHING


def _is_exhausted(error: Any) -> bool:
    try:
        return getattr(error.code(), "name", "") == "RESOURCE_EXHAUSTED" and not _asks_to_wait(
            error.trailing_metadata() or ()
        )
    except Exception:
        # An error that the user's code made, and that cannot say more than that it is one.
        return False


def _asks_to_wait(metadata: Any) -> bool:
    return any(
        key in _PUSHBACKS or (key == _DETAILS and _RETRY_INFO in value) for key, value in metadata
    )
