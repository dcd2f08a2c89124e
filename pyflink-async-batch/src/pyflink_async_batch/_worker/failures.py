"""Describes exceptions to the operator: class, message and traceback, each bounded in length."""

import traceback
from typing import Any, List, Optional, Sequence, Tuple

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch.outcomes import RowFailure

Failure = async_batch_pb2.Failure

# A traceback can hold the repr of anything; the operator shows it to a person.
_MAX_MESSAGE_CHARS = 8 * 1024
_MAX_TRACEBACK_CHARS = 32 * 1024
# Of a single row, of which a batch may have many.
_MAX_ROW_TRACEBACK_CHARS = 4 * 1024
_MAX_CLASS_CHARS = 512
# Of all rows that one header names: half of what a header may have.
_MAX_ROWS_BYTES = 512 * 1024


def describe(error: BaseException, kind: Any, retry_after_millis: Optional[int] = None) -> Any:
    """
    A ``Failure`` for the error. Never raises, whatever the error's own methods do.

    :param retry_after_millis: when the call is welcome again, if the error says so.
    """
    return Failure(
        kind=kind,
        retry_after_millis=retry_after_millis,
        error_class=_class_name(error),
        message=_shorten(_message(error), _MAX_MESSAGE_CHARS),
        traceback=_shorten(_traceback(error), _MAX_TRACEBACK_CHARS),
    )


def of_rows(rows: Sequence[Tuple[int, RowFailure]]) -> List[List[Any]]:
    """
    :param rows: indexes of rows that have no result, and why.
    :return: a ``RowFailure`` of the protocol for each, as many in a list as a header has room for;
             at least one list.
    """
    lists: List[List[Any]] = [[]]
    size = 0
    for index, failure in rows:
        described = async_batch_pb2.RowFailure(index=index, failure=_describe_row(failure.error))
        size += described.ByteSize() + 8
        if size > _MAX_ROWS_BYTES and lists[-1]:
            lists.append([])
            size = described.ByteSize() + 8
        lists[-1].append(described)
    return lists


def _describe_row(error: Any) -> Any:
    if isinstance(error, str):
        return Failure(
            kind=Failure.ROW,
            error_class="pyflink_async_batch.RowFailure",
            message=_shorten(error, _MAX_MESSAGE_CHARS),
        )
    # One that was never raised has no traceback that says more than its class and message.
    raised = error.__traceback__ is not None or error.__cause__ is not None
    return Failure(
        kind=Failure.ROW,
        error_class=_class_name(error),
        message=_shorten(_message(error), _MAX_MESSAGE_CHARS),
        traceback=_shorten(_traceback(error), _MAX_ROW_TRACEBACK_CHARS) if raised else "",
    )


def _class_name(error: BaseException) -> str:
    error_class = type(error)
    module = getattr(error_class, "__module__", "")
    name = getattr(error_class, "__qualname__", error_class.__name__)
    full = name if module in ("builtins", "") else "%s.%s" % (module, name)
    return _shorten(full, _MAX_CLASS_CHARS)


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
