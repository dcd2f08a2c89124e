"""Which calls are repeated, and after which delay, whatever the user's strategy does."""

import asyncio
import pickle
from typing import Any, List, Optional, Tuple

import pytest
from pyflink.datastream.functions import AsyncRetryStrategy
from pyflink_async_batch import AsyncBatchFunction, ExponentialBackoffRetryStrategy
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.batch_invocation import BatchInvocation
from pyflink_async_batch._worker.retry_policy import RetryPolicy
from recorded_answers import Answers

Failure = async_batch_pb2.Failure


def is_connection_error(error: BaseException) -> bool:
    return isinstance(error, ConnectionError)


def has_minus_one(results: List[Any]) -> bool:
    return -1 in results


def fixed(retries: int = 2) -> RetryPolicy:
    return RetryPolicy(
        AsyncRetryStrategy.fixed_delay(retries, 30, has_minus_one, is_connection_error)
    )


def test_only_what_a_predicate_wants_is_repeated_and_only_as_often_as_allowed() -> None:
    policy = fixed()
    assert [policy.delay_after_error(ConnectionError(), n) for n in (1, 2, 3)] == [30, 30, None]
    assert policy.delay_after_error(ValueError(), 1) is None
    assert policy.delay_after_results([1, -1], 2) == 30
    assert policy.delay_after_results([1, 1], 1) is None


def test_without_predicates_nothing_is_repeated() -> None:
    policy = RetryPolicy(AsyncRetryStrategy.fixed_delay(2, 30, None, None))
    assert policy.delay_after_error(ConnectionError(), 1) is None
    assert policy.delay_after_results([-1], 1) is None


def test_batches_that_share_pyflinks_exponential_strategy_do_not_disturb_each_other() -> None:
    policy = RetryPolicy(
        AsyncRetryStrategy.exponential_backoff(9, 10, 1_000, 2, None, is_connection_error)
    )
    for attempt, delay in [(1, 10), (4, 80), (2, 20), (3, 40), (9, 1_000), (3, 40)]:
        assert policy.delay_after_error(ConnectionError(), attempt) == delay


def test_a_negative_delay_is_refused_by_its_strategys_name() -> None:
    class Negative(ExponentialBackoffRetryStrategy):
        def get_backoff_time_millis(self, current_attempts: int) -> int:
            return -7

    from datetime import timedelta

    policy = RetryPolicy(
        Negative(1, timedelta(milliseconds=1), exception_predicate=is_connection_error)
    )
    with pytest.raises(ValueError, match=r"must not be negative, got -7 ms from 'Negative'"):
        policy.delay_after_error(ConnectionError(), 1)


def test_no_strategy_is_no_policy() -> None:
    assert RetryPolicy.unpickle(b"") is None
    strategy = AsyncRetryStrategy.fixed_delay(1, 5, None, is_connection_error)
    policy = RetryPolicy.unpickle(pickle.dumps(strategy))
    assert policy is not None
    assert policy.delay_after_error(ConnectionError(), 1) == 5


def answer(
    outcome: Any, policy: Optional[RetryPolicy], attempt: int = 1, late: bool = False
) -> Tuple[Any, Optional[bytes]]:
    """What is answered to a call that ends this way, or to its timeout."""
    answers = Answers()

    class Function(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[Any]) -> Any:
            return self._end()

        def timeout_batch(self, inputs: List[Any]) -> Any:
            return self._end()

        def _end(self) -> Any:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

    async def run() -> None:
        invocation = BatchInvocation(Function(), answers.answerer, policy)
        kind = async_batch_pb2.TIMEOUT if late else async_batch_pb2.INVOKE
        request = async_batch_pb2.FrameHeader(kind=kind, batch_id=5, attempt=attempt, row_count=2)
        await (invocation.time_out if late else invocation.invoke)(request, [1, 2])

    asyncio.run(run())
    return answers.only()


def test_a_retry_is_answered_with_its_delay_and_the_error() -> None:
    header, body = answer(ConnectionError("reset"), fixed(), attempt=2)
    assert (header.kind, header.answers) == (async_batch_pb2.RETRY, async_batch_pb2.INVOKE)
    assert (header.batch_id, header.attempt, header.retry_delay_millis) == (5, 2, 30)
    assert (header.failure.error_class, header.failure.message) == ("ConnectionError", "reset")
    assert body is None


def test_a_retry_because_of_results_has_no_error() -> None:
    header, body = answer([1, -1], fixed())
    assert (header.kind, header.HasField("failure")) == (async_batch_pb2.RETRY, False)
    assert body is None


def test_when_the_strategy_gives_up_the_last_outcome_is_answered() -> None:
    header, _ = answer(ConnectionError("reset"), fixed(), attempt=3)
    assert (header.kind, header.failure.kind) == (async_batch_pb2.FAILURE, Failure.OVERLOADED)
    header, body = answer([1, -1], fixed(), attempt=3)
    assert (header.kind, body) == (async_batch_pb2.RESULT, b"[1, -1]")


@pytest.mark.parametrize("results", [None, [1], "12"])
def test_what_is_no_result_is_not_repeated(results: Any) -> None:
    policy = RetryPolicy(AsyncRetryStrategy.fixed_delay(2, 30, lambda r: True, lambda e: True))
    header, _ = answer(results, policy)
    assert (header.kind, header.failure.kind) == (async_batch_pb2.FAILURE, Failure.INVALID_RESULT)


@pytest.mark.parametrize("outcome", [ConnectionError("late"), [1, -1]])
def test_a_timeout_is_not_repeated(outcome: Any) -> None:
    header, _ = answer(outcome, fixed(), late=True)
    assert header.kind in (async_batch_pb2.FAILURE, async_batch_pb2.RESULT)


@pytest.mark.parametrize("outcome", [ConnectionError("reset"), [1, 2]])
def test_a_predicate_that_raises_fails_the_batch_and_shows_both_errors(outcome: Any) -> None:
    def raising(value: Any) -> bool:
        raise RuntimeError("the predicate raised")

    header, _ = answer(
        outcome, RetryPolicy(AsyncRetryStrategy.fixed_delay(2, 30, raising, raising))
    )
    assert (header.kind, header.failure.kind) == (async_batch_pb2.FAILURE, Failure.USER_CODE)
    assert header.failure.message == "the predicate raised"
    if isinstance(outcome, BaseException):
        assert "ConnectionError: reset" in header.failure.traceback
