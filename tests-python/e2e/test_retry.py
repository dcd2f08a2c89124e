"""Calls that are repeated as a retry strategy says."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pyflink.common import Time, Types
from pyflink.datastream.functions import AsyncRetryStrategy
from pyflink_async_batch import (
    AsyncBatchFunction,
    AsyncDataStream,
    ExponentialBackoffRetryStrategy,
)

TIMEOUT = Time.seconds(60)
SOON = timedelta(milliseconds=5)


@pytest.fixture
def with_retry(ordering: str) -> Any:
    """The method of AsyncDataStream for the ordering."""
    return getattr(AsyncDataStream, f"{ordering}_wait_batch_with_retry")


class Flaky(AsyncBatchFunction[int, int]):
    """Fails the first calls of each batch; gives for each element the number of the call."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def open(self, runtime_context: Any) -> None:
        self.calls: dict[int, int] = {}

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        calls = self.calls[inputs[0]] = self.calls.get(inputs[0], 0) + 1
        await asyncio.sleep(0)
        if calls <= self.failures:
            raise ConnectionError("the model is away")
        return [calls * 1_000 + value for value in inputs]


def is_connection_error(error: BaseException) -> bool:
    return isinstance(error, ConnectionError)


@pytest.mark.parametrize(
    "strategy",
    [
        AsyncRetryStrategy.fixed_delay(3, 5, None, is_connection_error),
        AsyncRetryStrategy.exponential_backoff(3, 2, 20, 2.0, None, is_connection_error),
        ExponentialBackoffRetryStrategy(
            3, SOON, full_jitter=True, exception_predicate=is_connection_error
        ),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
def test_a_call_that_fails_is_repeated_until_it_succeeds(
    with_retry: Any, ordering: str, numbers: Any, collect: Any, strategy: Any
) -> None:
    stream = with_retry(
        numbers(100), Flaky(2), TIMEOUT, 8, strategy, capacity=4, output_type=Types.LONG()
    )
    results = collect(stream)
    expected = [3_000 + value for value in range(100)]
    assert (results if ordering == "ordered" else sorted(results)) == expected


def test_results_that_the_predicate_refuses_are_computed_again(
    with_retry: Any, numbers: Any, collect: Any
) -> None:
    class Overloaded(AsyncBatchFunction[int, int]):
        def open(self, runtime_context: Any) -> None:
            self.calls = 0

        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            self.calls += 1
            return [-1] * len(inputs) if self.calls == 1 else inputs

    strategy = ExponentialBackoffRetryStrategy(
        1, SOON, result_predicate=lambda results: -1 in results
    )
    stream = with_retry(numbers(4), Overloaded(), TIMEOUT, 4, strategy, output_type=Types.LONG())
    assert collect(stream) == [0, 1, 2, 3]


def test_when_the_strategy_gives_up_the_job_fails_with_the_last_error(
    with_retry: Any, numbers: Any, failure_of: Any
) -> None:
    strategy = ExponentialBackoffRetryStrategy(2, SOON, exception_predicate=is_connection_error)
    stream = with_retry(numbers(4), Flaky(9), TIMEOUT, 4, strategy, output_type=Types.LONG())
    assert "ConnectionError: the model is away" in failure_of(stream)


def test_the_timeout_covers_all_attempts(with_retry: Any, numbers: Any, collect: Any) -> None:
    class NeverBack(Flaky):
        def timeout_batch(self, inputs: list[int]) -> list[int]:
            return [-1] * len(inputs)

    strategy = ExponentialBackoffRetryStrategy(
        1_000_000, SOON, multiplier=1, exception_predicate=is_connection_error
    )
    stream = with_retry(
        numbers(3), NeverBack(10**9), Time.milliseconds(300), 4, strategy, output_type=Types.LONG()
    )
    assert collect(stream) == [-1, -1, -1]


def test_a_predicate_that_raises_fails_the_job_with_its_message(
    with_retry: Any, numbers: Any, failure_of: Any
) -> None:
    def raising(error: BaseException) -> bool:
        raise RuntimeError("the predicate is wrong")

    strategy = ExponentialBackoffRetryStrategy(2, SOON, exception_predicate=raising)
    stream = with_retry(numbers(4), Flaky(9), TIMEOUT, 4, strategy, output_type=Types.LONG())
    text = failure_of(stream)
    assert "RuntimeError: the predicate is wrong" in text
    assert "ConnectionError: the model is away" in text
