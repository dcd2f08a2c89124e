"""Functions whose backend has too much to do, and says so."""

import asyncio
import time
from typing import Any

import pytest
from pyflink.common import Time, Types
from pyflink_async_batch import AsyncBatchFunction, RetryLater

TIMEOUT = Time.seconds(60)
EARLY = -1


class Refusing(AsyncBatchFunction[int, int]):
    """
    Refuses the first calls of each batch, and sees who comes back too early: he is given ``EARLY``.
    """

    def __init__(self, refusals: int, seconds: float) -> None:
        self.refusals = refusals
        self.seconds = seconds

    def open(self, runtime_context: Any) -> None:
        self.calls: dict[int, int] = {}
        self.closed_until: dict[int, float] = {}

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        # Of a worker that subtasks share a call may be of several batches, and their rows change.
        early = any(time.monotonic() < self.closed_until.get(value, 0.0) for value in inputs)
        await asyncio.sleep(0)
        if early:
            return [EARLY] * len(inputs)
        for value in inputs:
            self.calls[value] = self.calls.get(value, 0) + 1
        if any(self.calls[value] <= self.refusals for value in inputs):
            for value in inputs:
                self.closed_until[value] = time.monotonic() + self.seconds
            raise RetryLater(self.seconds, "the model is busy")
        return [1_000 + value for value in inputs]


def test_a_backend_that_is_busy_is_left_alone_for_as_long_as_it_asks(
    wait_batch: Any, ordering: str, numbers: Any, collect: Any
) -> None:
    stream = wait_batch(
        numbers(40), Refusing(2, 0.2), TIMEOUT, 8, capacity=4, output_type=Types.LONG()
    )
    results = collect(stream)
    expected = [1_000 + value for value in range(40)]
    assert (results if ordering == "ordered" else sorted(results)) == expected


def test_the_timeout_ends_what_a_backend_puts_off(
    wait_batch: Any, ordering: str, numbers: Any, collect: Any
) -> None:
    class Busy(AsyncBatchFunction[int, int]):
        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            raise RetryLater(3_600)

        def timeout_batch(self, inputs: list[int]) -> list[int]:
            return [-value for value in inputs]

    stream = wait_batch(numbers(20), Busy(), Time.milliseconds(300), 8, output_type=Types.LONG())
    results = collect(stream)
    expected = [-value for value in range(20)]
    assert sorted(results, reverse=True) == expected


@pytest.mark.own_worker
def test_rows_that_left_before_a_retry_are_not_computed_again(
    wait_batch: Any, ordering: str, numbers: Any, collect: Any
) -> None:
    class HalfBusy(AsyncBatchFunction[int, int]):
        def open(self, runtime_context: Any) -> None:
            self.seen: set[int] = set()

        async def async_invoke_batch(self, inputs: list[int]) -> Any:
            for index, value in enumerate(inputs):
                if value % 2 and value not in self.seen:
                    self.seen.update(inputs)
                    raise RetryLater(0.05)
                yield index, 10 * value + (value in self.seen)
                self.seen.add(value)

    stream = wait_batch(numbers(20), HalfBusy(), TIMEOUT, 4, output_type=Types.LONG())
    # The first of each batch left before, all others were called for twice.
    expected = [10 * value + (value % 4 != 0) for value in range(20)]
    assert sorted(collect(stream)) == expected
