"""What can be said about the death of a worker, and what the refusals say."""

from datetime import timedelta
from typing import Any

import pytest
from pyflink.common import Configuration, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import (
    AsyncBatchFunction,
    AsyncDataStream,
    InvalidOptionError,
    InvalidOptionTypeError,
    UnsupportedEnvironmentError,
    WorkerRestart,
)
from pyflink_async_batch.options import AsyncBatchOptions


class Identity(AsyncBatchFunction[int, int]):
    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        return inputs


def options(**more: Any) -> AsyncBatchOptions:
    return AsyncBatchOptions.of(timeout=Time.seconds(1), batch_size=8, **more)


@pytest.mark.parametrize("option", ["max_restarts", "suspect_after"])
@pytest.mark.parametrize("value", [0, -1])
def test_counts_are_positive(option: str, value: int) -> None:
    with pytest.raises(InvalidOptionError, match=f"^{option} must be positive"):
        WorkerRestart(**{option: value})


@pytest.mark.parametrize("option", ["window", "initial_backoff", "max_backoff"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (Time.seconds(0), InvalidOptionError),
        (timedelta(seconds=-1), InvalidOptionError),
        (5, InvalidOptionTypeError),
        (None, InvalidOptionTypeError),
    ],
)
def test_times_are_positive(option: str, value: Any, error: Any) -> None:
    with pytest.raises(error, match=f"^{option} must be"):
        WorkerRestart(**{option: value})


def test_the_longest_delay_is_no_shorter_than_the_first() -> None:
    with pytest.raises(
        InvalidOptionError,
        match="^max_backoff must be at least initial_backoff=2000 ms, got 1000 ms",
    ):
        WorkerRestart(initial_backoff=Time.seconds(2), max_backoff=Time.seconds(1))


@pytest.mark.parametrize("value", [True, 3, "own", WorkerRestart])
def test_only_a_worker_restart_says_how_workers_are_restarted(value: Any) -> None:
    with pytest.raises(InvalidOptionTypeError, match="^worker_restart must be None or a"):
        options(worker_restart=value)


def test_a_shared_worker_is_not_restarted() -> None:
    with pytest.raises(
        InvalidOptionError, match="worker must be 'own' where worker_restart is given, got 'shared'"
    ):
        options(worker_restart=WorkerRestart(), worker="shared")


def test_a_stall_timeout_is_positive() -> None:
    assert options(stall_timeout=Time.seconds(3)).stall_timeout_millis == 3_000
    with pytest.raises(InvalidOptionError, match="^stall_timeout must be positive"):
        options(stall_timeout=Time.seconds(0))


@pytest.mark.parametrize(
    "option", [{"worker_restart": WorkerRestart()}, {"stall_timeout": Time.seconds(3)}]
)
def test_python_in_the_jvm_is_neither_watched_nor_restarted(option: dict[str, Any]) -> None:
    configuration = Configuration()
    configuration.set_string("python.execution-mode", "thread")
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    numbers = environment.from_collection([1], Types.LONG())
    with pytest.raises(
        UnsupportedEnvironmentError,
        match=f"'python.execution-mode' must be 'process' where {next(iter(option))} is given",
    ):
        AsyncDataStream.ordered_wait_batch(numbers, Identity(), Time.seconds(1), 2, **option)
