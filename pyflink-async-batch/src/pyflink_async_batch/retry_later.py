"""How a function says that what it calls has too much to do."""

import asyncio
import math
import time
from datetime import timezone
from email.utils import parsedate_to_datetime
from numbers import Real
from typing import Any, Mapping, Optional

__all__ = ["RetryLater"]

# Whoever asks for more is mistaken, or would be a failure that nobody notices.
_MOST_SECONDS = 24 * 60 * 60.0

# Too many requests; service unavailable; overloaded, as some providers of models say it.
_OVERLOAD_STATUSES = frozenset({429, 503, 529})
_OVERLOAD_CODES = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})


class RetryLater(Exception):  # noqa: N818 - it says what to do
    """
    To be raised by a function whose backend has too much to do, or is away for a while.

    ::

        >>> async def async_invoke_batch(self, texts):
        ...     response = await self.client.post("/embeddings", json={"input": texts})
        ...     if response.status_code in (429, 503):
        ...         raise RetryLater.from_headers(response.headers)
        ...     return [item["embedding"] for item in response.json()["data"]]

    The operator calls the function again for the batch, not before ``seconds`` have passed, and a
    little later at random, so that those who were sent away together do not come back together. No
    retry strategy is asked or needed: it is the batch's ``timeout`` that ends it, which covers all
    attempts. With ``concurrency="adaptive"`` the limit shrinks, and subtasks that name the same
    ``backend`` all stay away for so long. Raised from ``timeout_batch`` it is a failure as any
    other. Also counts as the ``__cause__`` of what is raised.

    After a restart of the task the batch is called for at once.

    :param seconds: When the call is welcome again, from now on: finite, from 0 to 86,400, a day.
    :param message: For logs. It should not hold what must not be seen there.
    :raises TypeError: ``seconds`` is no number.
    :raises ValueError: ``seconds`` is out of range.
    """

    def __init__(self, seconds: float, message: str = "") -> None:
        if isinstance(seconds, bool) or not isinstance(seconds, Real):
            raise TypeError(
                f"seconds must be a number, got an object of type '{type(seconds).__name__}'."
            )
        # Also nan, which compares to nothing.
        if not 0 <= seconds <= _MOST_SECONDS:
            raise ValueError(f"seconds must be from 0 to {_MOST_SECONDS:.0f}, got {seconds}.")
        super().__init__(float(seconds), message)

    @property
    def seconds(self) -> float:
        """When the call is welcome again, from when this was raised."""
        return float(self.args[0])

    def __str__(self) -> str:
        asked = f"the call is welcome again in {self.seconds:g} s"
        return f"{self.args[1]} ({asked})" if self.args[1] else asked

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], otherwise: float = 1.0) -> "RetryLater":
        """
        What the headers of an HTTP response ask for, whatever its status.

        :param headers: of the response, by names in any case: ``Retry-After`` in seconds or as an
                        HTTP date, or ``Retry-After-Ms``. More than a day is taken for a day, and a
                        date that has passed for now.
        :param otherwise: seconds, where the headers do not say it in a way that can be read.
        """
        seconds = _retry_after(headers)
        return cls(otherwise if seconds is None else seconds)

    @classmethod
    def from_error(cls, error: BaseException, otherwise: float = 1.0) -> "Optional[RetryLater]":
        """
        What an exception of a client says, of HTTP, gRPC or sockets.

        ::

            >>> try:
            ...     return await self.client.embeddings.create(...)
            ... except openai.APIStatusError as error:
            ...     raise RetryLater.from_error(error) or error

        :param error: An exception that knows a status of 429, 503 or 529 and its headers, itself or
                      in its ``response``, as those of aiohttp, httpx, openai, requests and urllib
                      do; one of gRPC of status ``UNAVAILABLE`` or ``RESOURCE_EXHAUSTED``; or a
                      ``ConnectionError`` or ``TimeoutError``.
        :param otherwise: seconds, where the error does not say when the call is welcome again.
        :return: None if the error is about something else.
        """
        if isinstance(error, RetryLater):
            return error
        if not is_overload(error):
            return None
        seconds = asked_for(error)
        return cls(otherwise if seconds is None else seconds)


def is_overload(error: BaseException) -> bool:
    """Whether the error of a client says that a backend has too much to do, or is away."""
    return (
        isinstance(error, (RetryLater, ConnectionError, TimeoutError, asyncio.TimeoutError))
        or _http_status(error) in _OVERLOAD_STATUSES
        or _grpc_code(error) in _OVERLOAD_CODES
    )


def asked_for(error: BaseException) -> Optional[float]:
    """
    :param error: one that :func:`is_overload`.
    :return: the seconds after which a call is welcome again, None if the error does not say.
    """
    if isinstance(error, RetryLater):
        return error.seconds
    try:
        if _http_status(error) is None:
            # Not dict(): what gRPC calls a mapping gives pairs.
            metadata = error.trailing_metadata() or ()  # type: ignore[attr-defined]
            return _retry_after({name: value for name, value in metadata})  # noqa: C416
        response = getattr(error, "response", None)
        headers = getattr(error, "headers", None) or getattr(response, "headers", None)
        return None if headers is None else _retry_after(headers)
    except Exception:
        # An error that the user's code made, and that looks like one that it is not.
        return None


def _http_status(error: BaseException) -> Optional[int]:
    for told in (error, _attribute(error, "response")):
        for name in ("status_code", "status", "code"):
            status = _attribute(told, name)
            if isinstance(status, int):
                return status
    return None


def _attribute(told: Any, name: str) -> Any:
    """None where there is none, or where a property of the user's raises."""
    try:
        return getattr(told, name, None)
    except Exception:
        return None


def _grpc_code(error: BaseException) -> Optional[str]:
    if not any(base.__module__.split(".")[0] == "grpc" for base in type(error).__mro__):
        return None
    try:
        return getattr(error.code(), "name", None)  # type: ignore[attr-defined]
    except Exception:
        return None


def _retry_after(headers: Mapping[str, str]) -> Optional[float]:
    told = {str(name).lower(): value for name, value in headers.items()}
    for name in ("grpc-retry-pushback-ms", "retry-after-ms"):
        millis = _number(told.get(name))
        if millis is not None:
            return _bounded(millis / 1000)
    value = told.get("retry-after")
    seconds = _number(value)
    return _until(value, told.get("date")) if seconds is None else _bounded(seconds)


def _number(value: Any) -> Optional[float]:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _until(date: Any, server_time: Any) -> Optional[float]:
    until = _timestamp(date)
    if until is None:
        return None
    # The server's clock may not be ours.
    now = _timestamp(server_time)
    return _bounded(until - (time.time() if now is None else now))


def _timestamp(date: Any) -> Optional[float]:
    try:
        parsed = parsedate_to_datetime(date)
        # HTTP dates are GMT, also where they say "-0000".
        return (parsed if parsed.tzinfo else parsed.replace(tzinfo=timezone.utc)).timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def _bounded(seconds: float) -> float:
    return min(max(seconds, 0.0), _MOST_SECONDS)
