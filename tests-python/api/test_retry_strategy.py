"""The retry strategy of this package, and what the methods accept as one."""

import pickle
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyflink.common import Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.functions import AsyncRetryStrategy
from pyflink_async_batch import (
    AsyncBatchFunction,
    AsyncDataStream,
    ExponentialBackoffRetryStrategy,
    InvalidOptionError,
    InvalidOptionTypeError,
)

TEN_MILLIS = timedelta(milliseconds=10)


class Identity(AsyncBatchFunction[Any, Any]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return inputs


def test_delays_grow_up_to_their_bound_and_depend_on_the_attempt_alone() -> None:
    strategy = ExponentialBackoffRetryStrategy(
        9, Time.milliseconds(10), multiplier=3, max_delay=Time.milliseconds(200)
    )
    delays = [strategy.get_backoff_time_millis(attempt) for attempt in (1, 2, 3, 4, 9, 1, 2)]
    assert delays == [10, 30, 90, 200, 200, 10, 30]
    assert all(type(delay) is int for delay in delays)


def test_it_allows_as_many_repetitions_as_asked() -> None:
    strategy = ExponentialBackoffRetryStrategy(2, TEN_MILLIS)
    assert [strategy.can_retry(attempt) for attempt in (1, 2, 3)] == [True, True, False]


@given(st.integers(1, 100_000), st.floats(1, 1e300))
def test_jitter_stays_within_the_delay_without_it(attempt: int, multiplier: float) -> None:
    without = ExponentialBackoffRetryStrategy(3, TEN_MILLIS, multiplier=multiplier)
    jittered = ExponentialBackoffRetryStrategy(
        3, TEN_MILLIS, multiplier=multiplier, full_jitter=True
    )
    most = without.get_backoff_time_millis(attempt)
    assert 0 <= jittered.get_backoff_time_millis(attempt) <= most


def test_jitter_is_spread_over_the_whole_range() -> None:
    strategy = ExponentialBackoffRetryStrategy(3, timedelta(seconds=1), full_jitter=True)
    drawn = [strategy.get_backoff_time_millis(1) for _ in range(2_000)]
    assert min(drawn) < 100
    assert max(drawn) > 900
    assert 400 < sum(drawn) / len(drawn) < 600


def test_it_travels_with_the_job() -> None:
    strategy = ExponentialBackoffRetryStrategy(3, TEN_MILLIS, exception_predicate=callable)
    copy = pickle.loads(pickle.dumps(strategy))
    assert copy.get_backoff_time_millis(2) == 20
    assert copy.get_retry_predicate().exception_predicate() is callable
    assert copy.get_retry_predicate().result_predicate() is None


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"max_retries": 0}, InvalidOptionError, r"max_retries must be positive .*got 0"),
        ({"max_retries": True}, InvalidOptionTypeError, r"max_retries must be an int"),
        ({"initial_delay": 5}, InvalidOptionTypeError, r"initial_delay must be a pyflink"),
        ({"max_delay": timedelta(0)}, InvalidOptionError, r"max_delay must be positive"),
        ({"multiplier": 0.5}, InvalidOptionError, r"multiplier must be .* at least 1, got 0\.5"),
        ({"multiplier": float("nan")}, InvalidOptionError, r"multiplier must be .* got nan"),
        ({"multiplier": "2"}, InvalidOptionTypeError, r"multiplier must be a number"),
        ({"exception_predicate": 1}, InvalidOptionTypeError, r"exception_predicate must be None"),
        ({"result_predicate": []}, InvalidOptionTypeError, r"result_predicate must be None"),
    ],
    ids=str,
)
def test_arguments_out_of_range_are_refused_by_name(
    arguments: dict[str, Any], error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        ExponentialBackoffRetryStrategy(
            **{"max_retries": 1, "initial_delay": TEN_MILLIS, **arguments}
        )


@pytest.mark.parametrize("method", ["ordered", "unordered"])
@pytest.mark.parametrize("strategy", [None, 3, "fixed", AsyncRetryStrategy, lambda: True])
def test_what_is_no_strategy_is_refused(
    environment: StreamExecutionEnvironment, method: str, strategy: Any
) -> None:
    call = getattr(AsyncDataStream, f"{method}_wait_batch_with_retry")
    numbers = environment.from_collection([1], Types.INT())
    with pytest.raises(InvalidOptionTypeError, match=r"^async_retry_strategy must be a pyflink"):
        call(numbers, Identity(), Time.seconds(1), 8, strategy)


def test_a_strategy_that_cannot_be_pickled_is_refused(
    environment: StreamExecutionEnvironment,
) -> None:
    generator = (value for value in ())
    strategy = ExponentialBackoffRetryStrategy(
        1, TEN_MILLIS, exception_predicate=lambda error: error in generator
    )
    with pytest.raises(InvalidOptionTypeError, match=r"that can be pickled \(TypeError"):
        AsyncDataStream.ordered_wait_batch_with_retry(
            environment.from_collection([1], Types.INT()),
            Identity(),
            Time.seconds(1),
            8,
            strategy,
        )
