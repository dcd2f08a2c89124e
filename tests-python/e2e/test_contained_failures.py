"""A bad row, or a batch that is too large, costs only itself: seen from a job."""

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyflink.common import Instant, Row, Time, Types
from pyflink_async_batch import (
    ArrowAsyncBatchFunction,
    AsyncBatchFunction,
    BatchTooLarge,
    ColumnResults,
    RowFailure,
    dead_letters_tag,
)

TIMEOUT = Time.seconds(60)
ROWS = 64

# For what has nothing to do with the order of results.
once = pytest.mark.parametrize("ordering", ["unordered"], indirect=True)

# What a dead letter shows beside its input and when it came to be.
SHOWN = ("error_kind", "error_class", "message", "attempts")


@pytest.fixture
def outcomes(environment: Any, tmp_path: Path) -> Any:
    """Runs a job with a side output and gives what came out of both: results and dead letters."""

    def run(results: Any, input_type: Any) -> Any:
        letters = results.get_side_output(dead_letters_tag(input_type))
        joined = results.map(
            lambda result: Row(result, None), output_type=_pairs(Types.STRING())
        ).union(letters.map(_shown, output_type=_pairs(Types.STRING())))
        with joined.execute_and_collect() as rows:
            pairs = list(rows)
        return (
            [pair[0] for pair in pairs if pair[1] is None],
            [pair[1] for pair in pairs if pair[1] is not None],
        )

    return run


def _pairs(letter_type: Any) -> Any:
    return Types.ROW([Types.LONG(), letter_type])


def _shown(letter: Row) -> Row:
    failed_at = letter["failed_at"]
    # In a thread of the JVM, PyFlink's own functions are shown instants as Java has them.
    is_java = not isinstance(failed_at, Instant)
    assert (failed_at.toEpochMilli() if is_java else failed_at.to_epoch_milli()) > 1_700_000_000_000
    values = [letter["input"], *(letter[name] for name in SHOWN)]
    return Row(None, " ".join(map(str, values)))


class Counting(AsyncBatchFunction[int, int]):
    """Writes down the size of each call."""

    def __init__(self, report: str) -> None:
        self.report = report

    def count(self, inputs: Any) -> None:
        with open(self.report, "a") as report:
            report.write(f"{len(inputs)}\n")


class OddOnesOnly(AsyncBatchFunction[int, Any]):
    async def async_invoke_batch(self, inputs: list[int]) -> list[Any]:
        return [
            value if value % 10 else RowFailure(ValueError(f"{value} is round")) for value in inputs
        ]


def test_a_row_without_a_result_is_a_dead_letter(
    wait_batch: Any, numbers: Any, outcomes: Any
) -> None:
    inputs = numbers(25)
    stream = wait_batch(
        inputs, OddOnesOnly(), TIMEOUT, 8, output_type=Types.LONG(), on_failure="dead_letter"
    )
    results, letters = outcomes(stream, inputs.get_type())
    assert sorted(results) == [value for value in range(25) if value % 10]
    assert sorted(letters) == [
        f"{value} ROW_FAILURE ValueError {value} is round 1" for value in (0, 10, 20)
    ]


@once
@pytest.mark.process_mode
@pytest.mark.own_worker
def test_a_row_without_a_result_fails_the_job_unless_contained(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    stream = wait_batch(numbers(8), OddOnesOnly(), TIMEOUT, 8, output_type=Types.LONG())
    text = failure_of(stream)
    assert "OddOnesOnly.async_invoke_batch has no result for row 0 of a batch of 8" in text
    assert "ValueError: 0 is round" in text


class Brittle(Counting):
    """Fails as a whole if there is a multiple of 20."""

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        self.count(inputs)
        await asyncio.sleep(0)
        bad = [value for value in inputs if value % 20 == 0]
        if bad:
            raise ValueError(f"cannot do {bad[0]}")
        return [value + 1 for value in inputs]


def test_rows_that_make_a_call_fail_are_found(
    wait_batch: Any, numbers: Any, outcomes: Any, report: Any
) -> None:
    inputs = numbers(ROWS)
    stream = wait_batch(
        inputs,
        Brittle(report.path),
        TIMEOUT,
        ROWS,
        output_type=Types.LONG(),
        on_failure="dead_letter",
        isolate=True,
    )
    results, letters = outcomes(stream, inputs.get_type())
    bad = [0, 20, 40, 60]
    assert sorted(results) == [value + 1 for value in range(ROWS) if value not in bad]
    assert sorted(letter.rsplit(" ", 1)[0] for letter in letters) == sorted(
        f"{value} EXCEPTION ValueError cannot do {value}" for value in bad
    )
    calls = [int(line) for line in report.lines()]
    assert calls[0] == ROWS
    assert len(calls) <= 1 + 2 * len(bad) * math.log2(ROWS)


class Small(Counting):
    """Takes four rows at most."""

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        self.count(inputs)
        if len(inputs) > 4:
            raise RuntimeError("inference failed") from BatchTooLarge(f"{len(inputs)} rows")
        return inputs


@once
def test_what_is_too_large_is_halved_and_later_batches_are_smaller(
    wait_batch: Any, numbers: Any, collect: Any, report: Any
) -> None:
    stream = wait_batch(
        numbers(200), Small(report.path), TIMEOUT, 32, capacity=1, output_type=Types.LONG()
    )
    assert sorted(collect(stream)) == list(range(200))
    calls = [int(line) for line in report.lines()]
    assert calls[:4] == [32, 16, 8, 4]
    # Those that were on their way already; from then on the limit is known.
    assert calls.count(32) <= 3
    assert max(calls[len(calls) // 2 :]) <= 5


class Early(AsyncBatchFunction[int, int]):
    """Holds the first row of each batch back until its other rows have left."""

    def __init__(self, report: str, rows: int) -> None:
        self.report = report
        self.rows = rows

    async def async_invoke_batch(  # type: ignore[override]
        self, inputs: list[int]
    ) -> AsyncIterator[tuple[int, Any]]:
        for index in reversed(range(1, len(inputs))):
            if inputs[index] == 7:
                yield index, RowFailure("seven")
            else:
                yield index, 10 * inputs[index]
        while not self.others_have_left():  # noqa: ASYNC110 another process's doing
            await asyncio.sleep(0.01)
        yield 0, 10 * inputs[0]

    def others_have_left(self) -> bool:
        report = Path(self.report)
        return report.exists() and len(report.read_text().splitlines()) >= self.rows


@once
def test_rows_leave_as_they_are_yielded(
    wait_batch: Any, numbers: Any, collect: Any, report: Any
) -> None:
    path = report.path

    def tell(value: int) -> int:
        with open(path, "a") as lines:
            lines.write(f"{value}\n")
        return value

    stream = wait_batch(
        numbers(12), Early(path, 10), TIMEOUT, 12, output_type=Types.LONG(), on_failure="skip"
    )
    told = collect(stream.map(tell, output_type=Types.LONG()))
    assert sorted(told) == [10 * value for value in range(12) if value != 7]
    assert told[-1] == 0


def test_rows_that_are_yielded_leave_in_the_order_of_the_job(
    wait_batch: Any, numbers: Any, collect: Any, report: Any, ordering: str
) -> None:
    stream = wait_batch(
        numbers(24), Early(report.path, 0), TIMEOUT, 8, output_type=Types.LONG(), on_failure="skip"
    )
    Path(report.path).touch()
    results = collect(stream)
    assert sorted(results) == [10 * value for value in range(24) if value != 7]
    if ordering == "ordered":
        assert results == sorted(results)


class YieldsTwice(AsyncBatchFunction[int, int]):
    async def async_invoke_batch(  # type: ignore[override]
        self, inputs: list[int]
    ) -> AsyncIterator[tuple[int, int]]:
        yield 0, 1
        await asyncio.sleep(0)
        yield 0, 2


@once
@pytest.mark.process_mode
@pytest.mark.own_worker
def test_a_row_that_is_yielded_twice_fails_the_job(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    text = failure_of(wait_batch(numbers(4), YieldsTwice(), TIMEOUT, 4, output_type=Types.LONG()))
    assert "'YieldsTwice.async_invoke_batch' yielded index 0 more than once" in text


class YieldsAndHangs(AsyncBatchFunction[int, int]):
    def __init__(self, report: str) -> None:
        self.report = report

    def tell(self, *words: object) -> None:
        with open(self.report, "a") as report:
            report.write(" ".join(map(str, words)) + "\n")

    async def async_invoke_batch(  # type: ignore[override]
        self, inputs: list[int]
    ) -> AsyncIterator[tuple[int, int]]:
        try:
            yield 1, 10 * inputs[1]
            await asyncio.Event().wait()
        finally:
            self.tell("closed")

    def timeout_batch(self, inputs: list[int]) -> list[Any]:
        self.tell("late", *inputs)
        return [RowFailure("too late") if value == 2 else -value for value in inputs]


@once
def test_a_deadline_closes_the_generator_and_asks_for_the_rest(
    wait_batch: Any, numbers: Any, outcomes: Any, report: Any
) -> None:
    inputs = numbers(4)
    stream = wait_batch(
        inputs,
        YieldsAndHangs(report.path),
        Time.seconds(1),
        4,
        output_type=Types.LONG(),
        on_failure="dead_letter",
    )
    results, letters = outcomes(stream, inputs.get_type())
    assert report.lines() == ["closed", "late 0 2 3"]
    assert sorted(results) == [-3, 0, 10]
    assert letters == ["2 ROW_FAILURE pyflink_async_batch.RowFailure too late 1"]


class EarlyColumns(ArrowAsyncBatchFunction):
    async def async_invoke_batch(self, inputs: Any) -> Any:  # type: ignore[override]
        doubled = pc.multiply(inputs, pa.scalar(2, pa.int64()))
        odd = [row for row in range(len(inputs)) if row % 2]
        yield odd, doubled.take(pa.array(odd, pa.int64()))
        await asyncio.sleep(0)
        for row in range(0, len(inputs), 2):
            bad = inputs[row].as_py() % 10 == 0
            piece = doubled.slice(row, 1)
            yield row, ColumnResults(piece, {0: "round"}) if bad else piece


def test_columns_have_rows_without_results_too(
    wait_batch: Any, numbers: Any, outcomes: Any
) -> None:
    inputs = numbers(25)
    stream = wait_batch(
        inputs, EarlyColumns(), TIMEOUT, 8, output_type=Types.LONG(), on_failure="dead_letter"
    )
    results, letters = outcomes(stream, inputs.get_type())
    bad = {0, 10, 20}
    assert sorted(results) == [2 * value for value in range(25) if value not in bad]
    assert sorted(letter.split()[0] for letter in letters) == sorted(map(str, bad))


@pytest.mark.parametrize("ordering", ["ordered"], indirect=True)
def test_pickled_inputs_are_in_dead_letters_as_the_function_got_them(
    wait_batch: Any, numbers: Any, outcomes: Any
) -> None:
    inputs = numbers(3).map(lambda value: {"value": value})

    class Fails(AsyncBatchFunction[Any, int]):
        async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
            return [RowFailure("no") for _ in inputs]

    stream = wait_batch(
        inputs, Fails(), TIMEOUT, 8, output_type=Types.LONG(), on_failure="dead_letter"
    )
    results, letters = outcomes(stream, inputs.get_type())
    assert results == []
    assert [letter.split(" ROW")[0] for letter in letters] == [
        "{'value': 0}",
        "{'value': 1}",
        "{'value': 2}",
    ]
