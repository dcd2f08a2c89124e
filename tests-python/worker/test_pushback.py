"""What the operator is told of a backend that has too much to do."""

from datetime import timedelta
from typing import Any, Optional

import pytest
from pyflink_async_batch import BatchTooLarge, ExponentialBackoffRetryStrategy, RetryLater
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.pushback import Pushback, said_by
from pyflink_async_batch._worker.retry_policy import RetryPolicy
from recorded_answers import Answers

Failure = async_batch_pb2.Failure

TWICE = RetryPolicy(
    ExponentialBackoffRetryStrategy(2, timedelta(seconds=1), exception_predicate=lambda error: True)
)
NEVER = RetryPolicy(ExponentialBackoffRetryStrategy(2, timedelta(seconds=1)))


class HttpError(Exception):
    def __init__(self, status: int, retry_after: Optional[str] = None) -> None:
        super().__init__(status)
        self.status = status
        self.headers = {} if retry_after is None else {"Retry-After": retry_after}


def raised_from(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def answer(
    error: BaseException,
    retry: Optional[RetryPolicy],
    attempt: int = 1,
    kind: Any = Failure.USER_CODE,
    rows: int = 2,
) -> Any:
    answers = Answers()
    request = async_batch_pb2.FrameHeader(
        kind=async_batch_pb2.INVOKE, batch_id=1, attempt=attempt, row_count=rows
    )
    answers.answerer.failure(request, error, kind, retry)
    return answers.only()[0]


@pytest.mark.parametrize("retry", [None, NEVER, TWICE], ids=["none", "never", "twice"])
@pytest.mark.parametrize("attempt", [1, 3, 100])
@pytest.mark.parametrize("rows", [1, 2])
def test_who_asks_for_a_retry_gets_it_whatever_the_strategy(
    retry: Any, attempt: int, rows: int
) -> None:
    header = answer(RetryLater(2.5, "busy"), retry, attempt, rows=rows)
    assert header.kind == async_batch_pb2.RETRY
    assert header.failure.kind == Failure.OVERLOADED
    assert header.failure.retry_after_millis == 2_500
    assert header.failure.message == "busy (the call is welcome again in 2.5 s)"
    assert header.retry_delay_millis >= 2_500


def test_it_counts_as_the_cause_too() -> None:
    header = answer(raised_from(ValueError("no result"), RetryLater(3)), None)
    assert header.kind == async_batch_pb2.RETRY
    assert header.failure.error_class == "ValueError"
    assert header.failure.retry_after_millis == 3_000


def test_it_says_more_than_what_it_was_made_of() -> None:
    header = answer(raised_from(RetryLater(3), BatchTooLarge()), None)
    assert header.kind == async_batch_pb2.RETRY
    assert header.failure.kind == Failure.OVERLOADED


@pytest.mark.parametrize("seconds", [0.0001, 0.2, 1 / 3, 86_400])
def test_the_call_does_not_come_before_its_time(seconds: float) -> None:
    header = answer(RetryLater(seconds), None)
    assert header.failure.retry_after_millis >= seconds * 1_000
    assert header.retry_delay_millis >= header.failure.retry_after_millis


def test_those_sent_away_together_come_back_apart() -> None:
    delays = {Pushback(1_000, True).delay(1) for _ in range(200)}
    assert len(delays) > 20
    assert min(delays) >= 1_000
    assert max(delays) <= 1_100


def test_who_is_sent_away_often_stays_away_longer() -> None:
    # Also where the backend says "now": no loop without an end.
    for attempt, most in ((1, 100), (3, 400), (8, 10_000), (10_000, 10_000)):
        delays = [Pushback(0, True).delay(attempt) for _ in range(500)]
        assert most / 2 < max(delays) <= most


def test_from_a_timeout_handler_it_is_a_failure() -> None:
    header = answer(RetryLater(3), None, kind=Failure.TIMEOUT_HANDLER)
    assert header.kind == async_batch_pb2.FAILURE
    assert header.failure.kind == Failure.TIMEOUT_HANDLER


@pytest.mark.parametrize(
    ("retry_after", "attempt", "retry", "kind", "delay"),
    [
        ("30", 1, TWICE, "RETRY", 30_000),
        ("0", 1, TWICE, "RETRY", 1_000),
        (None, 2, TWICE, "RETRY", 2_000),
        ("30", 3, TWICE, "FAILURE", 0),
        ("30", 1, NEVER, "FAILURE", 0),
        ("30", 1, None, "FAILURE", 0),
    ],
)
def test_of_a_clients_error_the_strategy_is_asked_and_the_limit_told(
    retry_after: Optional[str], attempt: int, retry: Any, kind: str, delay: int
) -> None:
    header = answer(HttpError(503, retry_after), retry, attempt)
    assert async_batch_pb2.FrameKind.Name(header.kind) == kind
    assert header.retry_delay_millis == delay
    assert header.failure.kind == Failure.OVERLOADED
    assert header.failure.HasField("retry_after_millis") == (retry_after is not None)
    assert header.failure.retry_after_millis == 1_000 * int(retry_after or 0)


@pytest.mark.parametrize("error", [ValueError("429"), HttpError(500, "30"), BatchTooLarge()])
def test_other_failures_say_nothing_of_it(error: Exception) -> None:
    assert said_by(error) is None
    header = answer(error, None)
    assert header.failure.kind != Failure.OVERLOADED
    assert not header.failure.HasField("retry_after_millis")


def test_causes_that_go_round_in_circles_end() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert said_by(first) is None
