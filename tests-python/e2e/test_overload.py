"""Functions whose backend has too much to do, and how much it is asked to do."""

import asyncio
import collections
import itertools
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyflink.common import Time, Types
from pyflink_async_batch import (
    AdaptiveConcurrency,
    AsyncBatchFunction,
    CircuitBreaker,
    Hedging,
    RetryBudget,
    RetryLater,
    dead_letters_tag,
)

TIMEOUT = Time.seconds(60)
EARLY = -1


def operators_alone(test: Any) -> Any:
    """For what the operator does alone, whatever order results leave in and wherever Python is."""
    for mark in (
        pytest.mark.parametrize("ordering", ["unordered"], indirect=True),
        pytest.mark.process_mode,
        pytest.mark.own_worker,
    ):
        test = mark(test)
    return test


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


class Counted(AsyncBatchFunction[int, int]):
    """Writes down, in one file for all workers, when calls begin and end."""

    def __init__(self, report: str) -> None:
        self.report = report

    def open(self, runtime_context: Any) -> None:
        # What is appended at once stays together, whoever else appends.
        self.file = os.open(self.report, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.now = 0

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        os.write(self.file, b"+\n")
        self.now += 1
        try:
            return await self.call(inputs)
        finally:
            self.now -= 1
            os.write(self.file, b"-\n")

    async def call(self, inputs: list[int]) -> list[int]:
        await asyncio.sleep(0.002)
        return inputs


def most_at_once(report: Any) -> int:
    changes = (1 if line == "+" else -1 for line in report.lines())
    return max(itertools.accumulate(changes))


@operators_alone
def test_no_more_calls_are_in_flight_than_were_asked_for(
    wait_batch: Any, numbers: Any, collect: Any, report: Any
) -> None:
    class InThrees(Counted):
        """Answers when three calls are there, and so only if as many are let in."""

        def open(self, runtime_context: Any) -> None:
            super().open(runtime_context)
            self.three = asyncio.Event()

        async def call(self, inputs: list[int]) -> list[int]:
            three = self.three
            if self.now == 3:
                self.three = asyncio.Event()
                three.set()
            await three.wait()
            return inputs

    stream = wait_batch(
        numbers(240),
        InThrees(report.path),
        TIMEOUT,
        4,
        capacity=20,
        output_type=Types.LONG(),
        concurrency=3,
    )
    assert sorted(collect(stream)) == list(range(240))
    assert most_at_once(report) == 3


@operators_alone
@pytest.mark.parametrize(
    ("concurrency", "most"), [("adaptive", 12), (AdaptiveConcurrency(most=5), 5)]
)
def test_a_number_that_is_found_out_stays_within_its_bounds(
    wait_batch: Any, numbers: Any, collect: Any, report: Any, concurrency: Any, most: int
) -> None:
    class TwoPlaces(Counted):
        def open(self, runtime_context: Any) -> None:
            super().open(runtime_context)
            self.places = asyncio.Semaphore(2)

        async def call(self, inputs: list[int]) -> list[int]:
            if self.now > 4:
                raise RetryLater(0.01)
            async with self.places:
                await asyncio.sleep(0.005)
            return inputs

    stream = wait_batch(
        numbers(1_000),
        TwoPlaces(report.path),
        TIMEOUT,
        4,
        capacity=12,
        output_type=Types.LONG(),
        concurrency=concurrency,
        retry_budget=RetryBudget(),
    )
    assert sorted(collect(stream)) == list(range(1_000))
    assert 1 < most_at_once(report) <= most


@operators_alone
def test_operators_that_name_one_backend_share_its_limit(
    wait_batch: Any, numbers: Any, collect: Any, report: Any
) -> None:
    streams = [
        wait_batch(
            numbers(100),
            Counted(report.path),
            TIMEOUT,
            2,
            output_type=Types.LONG(),
            concurrency=1,
            backend="gateway",
        )
        for _ in range(2)
    ]
    results = collect(streams[0].union(streams[1]))
    assert sorted(results) == sorted([*range(100), *range(100)])
    assert report.lines().count("+") == 100
    assert most_at_once(report) == 1


def test_all_batches_leave_a_backend_alone_that_is_busy(
    wait_batch: Any, ordering: str, numbers: Any, collect: Any
) -> None:
    class Gateway(AsyncBatchFunction[int, int]):
        """Refuses every fifth call, and then whoever comes before the time is over."""

        def open(self, runtime_context: Any) -> None:
            self.calls = 0
            self.closed_until = 0.0

        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            if time.monotonic() < self.closed_until:
                return [EARLY] * len(inputs)
            self.calls += 1
            if self.calls % 5 == 0:
                self.closed_until = time.monotonic() + 0.1
                raise RetryLater(0.1)
            await asyncio.sleep(0.001)
            return inputs

    # With a single call in flight none is on its way while another is refused.
    stream = wait_batch(numbers(80), Gateway(), TIMEOUT, 4, output_type=Types.LONG(), concurrency=1)
    results = collect(stream)
    assert (results if ordering == "ordered" else sorted(results)) == list(range(80))


@operators_alone
def test_while_a_backend_is_away_rows_fail_without_a_call(
    wait_batch: Any, numbers: Any, collect: Any, report: Any
) -> None:
    class Away(Counted):
        async def call(self, inputs: list[int]) -> list[int]:
            raise ConnectionError("nobody listens")

    inputs = numbers(400)
    breaker = CircuitBreaker(
        window_calls=8,
        least_calls=4,
        first_pause=Time.minutes(10),
        longest_pause=Time.minutes(10),
        when_open="fail_fast",
    )
    results = wait_batch(
        inputs,
        Away(report.path),
        TIMEOUT,
        4,
        output_type=Types.LONG(),
        concurrency=2,
        circuit_breaker=breaker,
        on_failure="dead_letter",
    )
    letters = results.get_side_output(dead_letters_tag(inputs.get_type()))
    told = letters.map(
        lambda letter: f"{letter['input']} {letter['error_kind']}", output_type=Types.STRING()
    ).union(results.map(str, output_type=Types.STRING()))
    rows = [letter.split() for letter in collect(told)]
    assert sorted(int(row) for row, _ in rows) == list(range(400))
    # Four failed calls open it; one more may have been on its way.
    calls = report.lines().count("+")
    assert 4 <= calls <= 5
    kinds = collections.Counter(kind for _, kind in rows)
    assert kinds == {"EXCEPTION": 4 * calls, "CIRCUIT_OPEN": 400 - 4 * calls}


@operators_alone
def test_what_the_documents_show_runs(wait_batch: Any, environment: Any, collect: Any) -> None:
    page = Path(__file__).parents[2] / "docs" / "overload.md"
    shown = page.read_text(encoding="utf-8").split("```python\n", 1)[1].split("```", 1)[0]
    function, applied = shown.split("vectors = ")
    # Pickled by value, as what a user's script defines.
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(function, names)

    def open_client(self: Any, runtime_context: Any) -> None:
        self.client = BusyAtFirst()

    names["Embed"].open = open_client
    names["texts"] = environment.from_collection([f"text {i}" for i in range(50)], Types.STRING())
    exec(f"vectors = {applied}", names)
    assert sorted(map(list, collect(names["vectors"]))) == [[float(i)] for i in range(50)]


class BusyAtFirst:
    """As an HTTP client whose server refuses the first request."""

    def __init__(self) -> None:
        self.posts = 0

    async def post(self, path: str, json: Any) -> Any:
        self.posts += 1
        data = [{"embedding": [float(text.split()[1])]} for text in json["input"]]
        return SimpleNamespace(
            status_code=429 if self.posts == 1 else 200,
            headers={"Retry-After": "0.05"},
            json=lambda: {"data": data},
        )


class Tailed(AsyncBatchFunction[int, int]):
    """
    Never answers the first call for some rows, and writes down, in one file for all workers, what
    it was called for and which calls were cancelled.
    """

    def __init__(self, report: str, hung: frozenset[int]) -> None:
        self.report = report
        self.hung = hung

    def open(self, runtime_context: Any) -> None:
        self.seen: set[int] = set()

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        first = not self.seen.intersection(inputs)
        self.seen.update(inputs)
        self._write("called", inputs)
        await asyncio.sleep(0.002)
        if first and self.hung.intersection(inputs):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self._write("cancelled", inputs)
                raise
        return [1_000 + value for value in inputs]

    def _write(self, what: str, inputs: list[int]) -> None:
        with open(self.report, "a", encoding="ascii") as report:
            report.write(f"{what} {' '.join(map(str, inputs))}\n")


@pytest.mark.parametrize("ordering", ["unordered"], indirect=True)
def test_a_batch_whose_call_hangs_has_the_result_of_a_second_call(
    wait_batch: Any, ordering: str, numbers: Any, collect: Any, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    # By then enough calls have ended, whoever made them.
    hung = frozenset({300, 333, 390})
    stream = wait_batch(
        numbers(400),
        Tailed(str(report), hung),
        TIMEOUT,
        4,
        capacity=4,
        output_type=Types.LONG(),
        retry_budget=RetryBudget(share=0.1, reserve=1_000),
        hedging=Hedging(min_delay=Time.milliseconds(100), least_calls=4),
    )
    results = collect(stream)
    expected = [1_000 + value for value in range(400)]
    assert sorted(results) == expected
    calls = collections.Counter(
        int(value)
        for line in report.read_text(encoding="ascii").splitlines()
        if line.startswith("called")
        for value in line.split()[1:]
    )
    assert all(calls[value] >= 2 for value in hung)


@operators_alone
def test_second_calls_are_few_and_the_calls_that_lose_are_cancelled(
    wait_batch: Any, ordering: str, numbers: Any, collect: Any, tmp_path: Path
) -> None:
    report = tmp_path / "report"
    batches = 200
    hung = frozenset(range(400, 4 * batches, 80))
    stream = wait_batch(
        numbers(4 * batches),
        Tailed(str(report), hung),
        TIMEOUT,
        4,
        capacity=8,
        output_type=Types.LONG(),
        retry_budget=RetryBudget(share=0.1, reserve=10),
        hedging=Hedging(min_delay=Time.milliseconds(50)),
    )
    assert sorted(collect(stream)) == [1_000 + value for value in range(4 * batches)]
    lines = report.read_text(encoding="ascii").splitlines()
    called = [line for line in lines if line.startswith("called")]
    cancelled = {
        int(value) for line in lines if line.startswith("cancelled") for value in line.split()[1:]
    }
    assert hung <= cancelled
    calls = collections.Counter(called)
    assert len(calls) == batches
    assert set(calls.values()) == {1, 2}
    assert sum(count - 1 for count in calls.values()) >= len(hung)
