"""Describes exceptions to the operator: class, message and traceback, each bounded in length."""

import traceback
from typing import Any

from pyflink_async_batch._proto import async_batch_pb2

Failure = async_batch_pb2.Failure

# A traceback can hold the repr of anything; the operator shows it to a person.
_MAX_MESSAGE_CHARS = 8 * 1024
_MAX_TRACEBACK_CHARS = 32 * 1024


def describe(error: BaseException, kind: Any) -> Any:
    """A ``Failure`` for the error. Never raises, whatever the error's own methods do."""
    error_class = type(error)
    module = getattr(error_class, "__module__", "")
    name = getattr(error_class, "__qualname__", error_class.__name__)
    return Failure(
        kind=kind,
        error_class=name if module in ("builtins", "") else "%s.%s" % (module, name),
        message=_shorten(_message(error), _MAX_MESSAGE_CHARS),
        traceback=_shorten(_traceback(error), _MAX_TRACEBACK_CHARS),
    )


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as second:
        return "<%s in __str__>" % type(second).__name__


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
    except BaseException as second:
        frames = "".join(traceback.format_tb(error.__traceback__))
        return "%s<%s while formatting the error>" % (frames, type(second).__name__)


def _shorten(text: str, limit: int) -> str:
    # Lone surrogates cannot be sent; what matters is that the rest arrives.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= limit:
        return text
    half = limit // 2
    return "%s\n... (%d characters cut) ...\n%s" % (text[:half], len(text) - limit, text[-half:])
