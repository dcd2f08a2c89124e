"""What a function raises when its backend has too much to do, and what it is made of."""

import asyncio
import copy
import email.message
import email.utils
import io
import pickle
import time
import urllib.error
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Dict, Optional

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyflink_async_batch import RetryLater

DAY = 86_400
TEN = "Sat, 01 Mar 2025 10:00:00 GMT"


@pytest.mark.parametrize("seconds", [0, 0.25, 7, np.float32(0.5), np.int64(3), DAY])
def test_it_says_when_the_call_is_welcome(seconds: Any) -> None:
    assert RetryLater(seconds).seconds == float(seconds)


@pytest.mark.parametrize("seconds", [-0.001, float("nan"), float("inf"), DAY + 1])
def test_a_time_that_never_comes_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds must be from 0 to 86400"):
        RetryLater(seconds)


@pytest.mark.parametrize("seconds", [None, "5", True, timedelta(seconds=5)])
def test_what_is_no_number_is_refused(seconds: Any) -> None:
    with pytest.raises(TypeError, match="seconds must be a number, got an object of type"):
        RetryLater(seconds)


def test_it_says_why_if_it_was_told() -> None:
    assert str(RetryLater(2)) == "the call is welcome again in 2 s"
    assert str(RetryLater(0.5, "busy")) == "busy (the call is welcome again in 0.5 s)"


@pytest.mark.parametrize("duplicate", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
def test_a_copy_says_the_same(duplicate: Any) -> None:
    error = duplicate(RetryLater(2, "busy"))
    assert (error.seconds, str(error)) == (2, "busy (the call is welcome again in 2 s)")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"retry-after": " 7 "}, 7),
        ({"RETRY-AFTER": "0"}, 0),
        # As some servers say it, against the standard.
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "2", "Retry-After-Ms": "1500"}, 1.5),
        ({"Retry-After": "99999999999"}, DAY),
        ({"Date": TEN, "Retry-After": "Sat, 01 Mar 2025 10:00:30 GMT"}, 30),
        ({"Date": TEN, "Retry-After": "Sat, 01 Mar 2025 09:00:00 GMT"}, 0),
        ({"Date": TEN, "Retry-After": "Tue, 01 Mar 2095 10:00:00 GMT"}, DAY),
        ({"Date": "nonsense", "Retry-After": "Sat, 01 Mar 2025 09:00:00 GMT"}, 0),
    ],
)
def test_headers_say_when_the_call_is_welcome(headers: Dict[str, str], seconds: float) -> None:
    assert RetryLater.from_headers(headers, otherwise=99).seconds == seconds


def test_a_date_is_held_against_our_clock_where_the_server_does_not_tell_its_own() -> None:
    until = email.utils.formatdate(time.time() + 3_600, usegmt=True)
    seconds = RetryLater.from_headers({"Retry-After": until}).seconds
    assert 3_590 < seconds <= 3_600


@pytest.mark.parametrize("value", ["", "soon", "-1", "nan", "inf", "Sat, 99 Mar 2025", "1,5"])
def test_what_cannot_be_read_is_not_believed(value: str) -> None:
    assert RetryLater.from_headers({"Retry-After": value}, otherwise=3).seconds == 3
    assert RetryLater.from_headers({}).seconds == 1


@given(st.dictionaries(st.sampled_from(["Retry-After", "retry-after-ms", "Date"]), st.text()))
def test_no_header_breaks_it(headers: Dict[str, str]) -> None:
    assert 0 <= RetryLater.from_headers(headers).seconds <= DAY


class HttpError(Exception):
    """As aiohttp's: it knows the status and the headers itself."""

    def __init__(self, status: Any, headers: Optional[Dict[str, str]]) -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers


class ResponseError(Exception):
    """As those of httpx, openai and requests: they are in the response."""

    def __init__(self, status: int, headers: Dict[str, str]) -> None:
        super().__init__(status)
        self.response = SimpleNamespace(status_code=status, headers=headers)


def url_error(status: int, headers: Dict[str, str]) -> urllib.error.HTTPError:
    message = email.message.Message()
    for name, value in headers.items():
        message[name] = value
    return urllib.error.HTTPError("http://localhost/", status, "", message, io.BytesIO())


@pytest.mark.parametrize("make", [HttpError, ResponseError, url_error])
@pytest.mark.parametrize("status", [429, 503, 529])
def test_an_error_of_http_says_it_by_its_status(make: Any, status: int) -> None:
    error = RetryLater.from_error(make(status, {"Retry-After": "7"}))
    assert error is not None
    assert error.seconds == 7
    silent = RetryLater.from_error(make(status, {}), otherwise=3)
    assert silent is not None
    assert silent.seconds == 3


@pytest.mark.parametrize("make", [HttpError, ResponseError, url_error])
@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_other_errors_of_http_are_about_something_else(make: Any, status: int) -> None:
    assert RetryLater.from_error(make(status, {"Retry-After": "7"})) is None


def rpc_error(code: grpc.StatusCode, *metadata: Any) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*metadata), "")


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
@pytest.mark.parametrize(
    ("metadata", "seconds"),
    [
        ([("grpc-retry-pushback-ms", "250")], 0.25),
        ([("retry-after", "7")], 7),
        ([("grpc-retry-pushback-ms", "-1")], 3),
        ([], 3),
    ],
)
def test_an_error_of_grpc_says_it_by_its_status(
    code: grpc.StatusCode, metadata: Any, seconds: float
) -> None:
    error = RetryLater.from_error(rpc_error(code, *metadata), otherwise=3)
    assert error is not None
    assert error.seconds == seconds


class CodelessError(grpc.RpcError):
    def code(self) -> Any:
        raise RuntimeError("not yet")


@pytest.mark.parametrize(
    "error",
    [
        rpc_error(grpc.StatusCode.INVALID_ARGUMENT, ("retry-after", "7")),
        grpc.RpcError(),
        CodelessError(),
        ValueError("429"),
        HttpError("429", {}),
        SystemExit(2),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_are_about_something_else(error: BaseException) -> None:
    assert RetryLater.from_error(error) is None


def test_an_error_without_headers_says_no_time() -> None:
    error = RetryLater.from_error(HttpError(429, None), otherwise=3)
    assert error is not None
    assert error.seconds == 3


@pytest.mark.parametrize(
    "error", [ConnectionRefusedError(), TimeoutError(), asyncio.TimeoutError()]
)
def test_who_is_not_there_says_no_time(error: Exception) -> None:
    later = RetryLater.from_error(error, otherwise=3)
    assert later is not None
    assert later.seconds == 3


def test_it_stays_what_it_is() -> None:
    error = RetryLater(5)
    assert RetryLater.from_error(error) is error


class UnreadableError(Exception):
    """As clients make them whose response has not been read."""

    @property
    def response(self) -> None:
        raise RuntimeError("not read")

    status = property(lambda self: 1 / 0)


def test_an_error_that_cannot_be_looked_at_is_about_something_else() -> None:
    assert RetryLater.from_error(UnreadableError()) is None
