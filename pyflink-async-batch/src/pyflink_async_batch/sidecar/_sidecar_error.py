"""What a client is told when it does not get a result."""

import enum
from typing import List, Optional, Tuple

import grpc

from pyflink_async_batch._worker.pushback import said_by
from pyflink_async_batch._worker.too_large import is_too_large
from pyflink_async_batch.outcomes import RowFailure

#: The trailer that carries the kind of an error, where the status alone would leave it open.
ERROR_TRAILER = "asyncbatch-error"
#: gRPC's own trailer for when to try again, in milliseconds (gRFC A6).
PUSHBACK_TRAILER = "grpc-retry-pushback-ms"

# Percent-encoding makes up to twelve characters of one, and all metadata must fit into 8 KiB.
_MAX_MESSAGE_CHARS = 512


class ErrorKind(enum.Enum):
    """The kinds of errors, by their names in the trailer."""

    MODEL_NOT_FOUND = enum.auto()
    INVALID_TENSOR = enum.auto()
    DEADLINE_EXCEEDED = enum.auto()
    UNAVAILABLE = enum.auto()
    INTERNAL = enum.auto()
    OVERLOADED = enum.auto()
    OUT_OF_MEMORY = enum.auto()

    @property
    def status(self) -> grpc.StatusCode:
        return _STATUSES[self]


_STATUSES = {
    ErrorKind.MODEL_NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    ErrorKind.INVALID_TENSOR: grpc.StatusCode.INVALID_ARGUMENT,
    ErrorKind.DEADLINE_EXCEEDED: grpc.StatusCode.DEADLINE_EXCEEDED,
    ErrorKind.UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    ErrorKind.INTERNAL: grpc.StatusCode.INTERNAL,
    ErrorKind.OVERLOADED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    ErrorKind.OUT_OF_MEMORY: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class SidecarError(Exception):
    """
    An error for the client.

    :param kind: what went wrong.
    :param message: a sentence for a person; cut at 512 characters.
    :param retry_after: seconds after which another attempt makes sense, None if unknown.
    """

    def __init__(self, kind: ErrorKind, message: str, retry_after: Optional[float] = None) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = _shortened(message)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.message

    def trailers(self) -> List[Tuple[str, str]]:
        """The metadata that goes with the status."""
        trailers = [(ERROR_TRAILER, self.kind.name)]
        if self.retry_after is not None:
            trailers.append((PUSHBACK_TRAILER, str(max(1, round(self.retry_after * 1000)))))
        return trailers


def invalid(message: str) -> SidecarError:
    """An error about what the client sent."""
    return SidecarError(ErrorKind.INVALID_TENSOR, message)


def of_function(error: BaseException) -> SidecarError:
    """
    What a client is told of an exception that the user's function raised: its class and message,
    not its traceback; and when to try again, if the exception says so. Never raises, whatever the
    exception's own methods do.
    """
    name = type(error).__qualname__
    try:
        message = str(error)
    except BaseException as second:
        message = f"<{type(second).__name__} in __str__>"
    text = f"{name}: {message}" if message else name
    if is_too_large(error):
        return SidecarError(ErrorKind.OUT_OF_MEMORY, text)
    pushback = said_by(error)
    # Clients halve what a server refuses that has too much to do and does not say until when.
    if pushback is None or not pushback.is_request or pushback.millis is None:
        return SidecarError(ErrorKind.INTERNAL, text)
    return SidecarError(ErrorKind.OVERLOADED, text, pushback.millis / 1000)


def of_row(failure: RowFailure) -> SidecarError:
    """What a client is told of a row of its request that the function has no result for."""
    if isinstance(failure.error, BaseException):
        return of_function(failure.error)
    return SidecarError(ErrorKind.INTERNAL, failure.error)


def _shortened(text: str) -> str:
    # Lone surrogates cannot be sent; what matters is that the rest arrives.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= _MAX_MESSAGE_CHARS:
        return text
    return text[: _MAX_MESSAGE_CHARS - 3] + "..."
