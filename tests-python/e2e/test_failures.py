"""What the user sees when a function fails, is late, or returns something wrong."""

import asyncio
import os
import re
import signal as signals
import threading
from typing import Any

import pytest
from pyflink.common import Row, Time, Types
from pyflink_async_batch import AsyncBatchFunction

TIMEOUT = Time.seconds(60)
SOON = Time.milliseconds(200)


class Raising(AsyncBatchFunction[int, int]):
    def __init__(self, make_exception: Any) -> None:
        self.make_exception = make_exception

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        await asyncio.sleep(0)
        raise self.make_exception()


class Returning(AsyncBatchFunction[int, Any]):
    def __init__(self, make_results: Any) -> None:
        self.make_results = make_results

    async def async_invoke_batch(self, inputs: list[int]) -> Any:
        return self.make_results(inputs)


def test_the_exception_of_the_function_is_in_what_execute_raises(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    function = Raising(lambda: ValueError("no model for pineapple"))
    text = failure_of(wait_batch(numbers(10), function, TIMEOUT, 4, output_type=Types.LONG()))
    assert "ValueError: no model for pineapple" in text
    # The Python traceback shows where.
    assert "in async_invoke_batch" in text
    assert "test_failures.py" in text


def test_the_cause_of_the_exception_is_shown_too(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    class Chained(AsyncBatchFunction[int, int]):
        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            try:
                return [inputs[0] // 0]
            except ZeroDivisionError as e:
                raise RuntimeError("inference failed") from e

    text = failure_of(wait_batch(numbers(10), Chained(), TIMEOUT, 4, output_type=Types.LONG()))
    assert "RuntimeError: inference failed" in text
    assert "ZeroDivisionError" in text


class TextlessError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("there is no text")


class UnpicklableError(Exception):
    def __init__(self) -> None:
        super().__init__("held by a lock")
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    ("exception", "shown"),
    [
        (SystemExit, "SystemExit"),
        (KeyboardInterrupt, "KeyboardInterrupt"),
        (asyncio.CancelledError, "CancelledError"),
        (TextlessError, "TextlessError"),
        (UnpicklableError, "held by a lock"),
        (lambda: StopIteration("over"), "StopIteration"),
    ],
    ids=["SystemExit", "KeyboardInterrupt", "CancelledError", "str", "pickle", "StopIteration"],
)
def test_no_exception_makes_a_job_hang(
    wait_batch: Any, numbers: Any, failure_of: Any, exception: Any, shown: str
) -> None:
    stream = wait_batch(numbers(10), Raising(exception), TIMEOUT, 4, output_type=Types.LONG())
    assert shown in failure_of(stream)


def test_a_task_that_ends_the_event_loop_fails_the_job(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    class Exiting(AsyncBatchFunction[int, int]):
        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            async def leave() -> None:
                raise SystemExit(3)

            self.task = asyncio.create_task(leave())
            await asyncio.Event().wait()
            return inputs

    stream = wait_batch(numbers(10), Exiting(), TIMEOUT, 4, output_type=Types.LONG())
    assert "SystemExit: 3" in failure_of(stream)


def test_an_exception_in_open_fails_the_job(wait_batch: Any, numbers: Any, failure_of: Any) -> None:
    class CannotOpen(AsyncBatchFunction[int, int]):
        def open(self, runtime_context: Any) -> None:
            raise FileNotFoundError("model.onnx is missing")

        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            return inputs

    text = failure_of(wait_batch(numbers(10), CannotOpen(), TIMEOUT, 4, output_type=Types.LONG()))
    assert "FileNotFoundError: model.onnx is missing" in text


def test_open_has_its_own_deadline(wait_batch: Any, numbers: Any, failure_of: Any) -> None:
    class NeverOpen(AsyncBatchFunction[int, int]):
        def open(self, runtime_context: Any) -> None:
            threading.Event().wait()

        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            return inputs

    stream = wait_batch(
        numbers(10),
        NeverOpen(),
        TIMEOUT,
        4,
        output_type=Types.LONG(),
        open_timeout=Time.seconds(5),
    )
    assert re.search(r"open.*5\W?000|5\W?000.*open", failure_of(stream), re.IGNORECASE)


class Late(AsyncBatchFunction[int, Any]):
    """Never ends by itself; reports what happens to it."""

    def __init__(self, report: str) -> None:
        self.report = report

    def tell(self, line: str) -> None:
        with open(self.report, "a") as report:
            report.write(f"{line}\n")

    async def async_invoke_batch(self, inputs: list[int]) -> list[Any]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.tell("cancelled")
            raise
        finally:
            self.tell("finally")
        return inputs


class LateWithDefault(Late):
    def timeout_batch(self, inputs: list[int]) -> list[Any]:
        self.tell(f"timeout_batch of {len(inputs)}")
        return [-1 - value for value in inputs]


def test_a_late_batch_gets_the_results_of_timeout_batch(
    wait_batch: Any, numbers: Any, collect: Any, report: Any
) -> None:
    function = LateWithDefault(report.path)
    stream = wait_batch(numbers(6), function, SOON, 4, output_type=Types.LONG())
    assert sorted(collect(stream), reverse=True) == [-1, -2, -3, -4, -5, -6]
    lines = report.lines()
    assert sorted(lines) == sorted(
        ["cancelled", "finally"] * 2 + ["timeout_batch of 4", "timeout_batch of 2"]
    )
    # The work ends before its substitute begins.
    assert lines.index("finally") < min(
        lines.index("timeout_batch of 4"), lines.index("timeout_batch of 2")
    )


def test_a_late_batch_fails_the_job_by_default(
    wait_batch: Any, numbers: Any, failure_of: Any, report: Any
) -> None:
    stream = wait_batch(numbers(4), Late(report.path), SOON, 4, output_type=Types.LONG())
    text = failure_of(stream)
    assert "TimeoutError: Async function call of class" in text
    assert "has timed out for a batch of 4 inputs" in text
    assert report.lines() == ["cancelled", "finally"]


def test_an_exception_in_timeout_batch_fails_the_job(
    wait_batch: Any, numbers: Any, failure_of: Any, report: Any
) -> None:
    class LateAndRaising(Late):
        def timeout_batch(self, inputs: list[int]) -> list[Any]:
            raise LookupError("no substitute")

    stream = wait_batch(numbers(4), LateAndRaising(report.path), SOON, 4, output_type=Types.LONG())
    assert "LookupError: no substitute" in failure_of(stream)


def test_timeout_batch_returns_one_result_per_input(
    wait_batch: Any, numbers: Any, failure_of: Any, report: Any
) -> None:
    class LateAndShort(Late):
        def timeout_batch(self, inputs: list[int]) -> list[Any]:
            return inputs[:-1]

    stream = wait_batch(numbers(4), LateAndShort(report.path), SOON, 4, output_type=Types.LONG())
    text = failure_of(stream)
    assert "LateAndShort" in text
    assert re.search(r"\b3\b", text)
    assert re.search(r"\b4\b", text)


def test_what_a_cancelled_coroutine_still_returns_is_dropped(
    wait_batch: Any, numbers: Any, collect: Any, report: Any
) -> None:
    class Stubborn(LateWithDefault):
        async def async_invoke_batch(self, inputs: list[int]) -> list[Any]:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.tell("cancelled")
            return [999] * len(inputs)

    stream = wait_batch(numbers(2), Stubborn(report.path), SOON, 4, output_type=Types.LONG())
    assert sorted(collect(stream), reverse=True) == [-1, -2]
    assert "cancelled" in report.lines()


def test_timeout_batch_gets_the_inputs_as_they_came(
    wait_batch: Any, environment: Any, collect: Any
) -> None:
    class Spoiling(AsyncBatchFunction[list[int], list[int]]):
        async def async_invoke_batch(self, inputs: list[list[int]]) -> list[list[int]]:
            for value in inputs:
                value.append(666)
            inputs.clear()
            await asyncio.Event().wait()
            return inputs

        def timeout_batch(self, inputs: list[list[int]]) -> list[list[int]]:
            return inputs

    lists = Types.LIST(Types.LONG())
    # PyFlink's collection source does not take lists that have a type.
    rows = environment.from_collection([[1], [2, 3], []]).map(list, output_type=lists)
    results = collect(wait_batch(rows, Spoiling(), SOON, 4, output_type=lists))
    assert sorted(list(result) for result in results) == [[], [1], [2, 3]]


def a_generator(inputs: list[int]) -> Any:
    yield from inputs


@pytest.mark.parametrize(
    ("make_results", "came_back"),
    [
        (lambda inputs: None, "None"),
        (lambda inputs: "abcd", "str"),
        (lambda inputs: b"abcd", "bytes"),
        (lambda inputs: dict.fromkeys(inputs, 1), "dict"),
        (lambda inputs: set(inputs), "set"),
        (a_generator, "generator"),
        (lambda inputs: 4, "int"),
    ],
    ids=["None", "str", "bytes", "dict", "set", "generator", "int"],
)
def test_results_must_be_a_list(
    wait_batch: Any, numbers: Any, failure_of: Any, make_results: Any, came_back: str
) -> None:
    function = Returning(make_results)
    text = failure_of(wait_batch(numbers(4), function, TIMEOUT, 4, output_type=Types.LONG()))
    assert "Returning" in text
    assert re.search(rf"(?i)list[^\n]*\b{came_back}\b|\b{came_back}\b[^\n]*list", text)


@pytest.mark.parametrize(
    ("make_results", "length"),
    [(lambda inputs: inputs[1:], 6), (lambda inputs: [*inputs, 0], 8), (lambda inputs: [], 0)],
    ids=["short", "long", "empty"],
)
def test_results_must_be_as_many_as_inputs(
    wait_batch: Any, numbers: Any, failure_of: Any, make_results: Any, length: int
) -> None:
    function = Returning(make_results)
    text = failure_of(wait_batch(numbers(7), function, TIMEOUT, 7, output_type=Types.LONG()))
    explanation = [line for line in text.splitlines() if "Returning" in line]
    assert any(
        re.search(r"\b7\b", line) and re.search(rf"\b{length}\b", line) for line in explanation
    ), explanation


@pytest.mark.parametrize(
    ("value", "others", "output_type"),
    [
        ("two", 1, Types.INT()),
        (2**31, 1, Types.INT()),
        (-(2**63) - 1, 1, Types.LONG()),
        (128, 1, Types.BYTE()),
        (1.5, 1, Types.INT()),
        (float("nan"), 1, Types.LONG()),
        (2, "one", Types.STRING()),
        ("\ud800", "one", Types.STRING()),
        (Row(1), Row(1, 2), Types.ROW([Types.INT(), Types.INT()])),
        ({"a": "b"}, {"a": 1}, Types.MAP(Types.STRING(), Types.INT())),
    ],
    ids=str,
)
def test_results_must_fit_the_output_type(
    wait_batch: Any, numbers: Any, failure_of: Any, value: Any, others: Any, output_type: Any
) -> None:
    def make_results(inputs: list[int]) -> list[Any]:
        return [others, others, value, others]

    stream = wait_batch(numbers(4), Returning(make_results), TIMEOUT, 4, output_type=output_type)
    assert "Result 2 does not fit output_type" in failure_of(stream)


def test_a_result_that_cannot_be_pickled_is_named_by_its_index(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    function = Returning(lambda inputs: [1, 2, threading.Lock(), 4])
    text = failure_of(wait_batch(numbers(4), function, TIMEOUT, 4))
    assert "Result 2 does not fit output_type" in text


def test_strings_and_dictionaries_are_one_result_each(
    wait_batch: Any, numbers: Any, collect: Any
) -> None:
    words = collect(
        wait_batch(
            numbers(2),
            Returning(lambda inputs: ["word"] * len(inputs)),
            TIMEOUT,
            2,
            output_type=Types.STRING(),
        )
    )
    assert words == ["word", "word"]
    entries = collect(
        wait_batch(
            numbers(2), Returning(lambda inputs: [{"a": 1, "b": 2}] * len(inputs)), TIMEOUT, 2
        )
    )
    assert entries == [{"a": 1, "b": 2}] * 2


def test_a_row_that_is_too_large_for_the_transport_fails_the_job(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    rows = numbers(4).map(lambda value: "x" * 5_000 * value, output_type=Types.STRING())
    function = Returning(lambda inputs: inputs)
    text = failure_of(
        wait_batch(
            rows,
            function,
            TIMEOUT,
            1,
            output_type=Types.STRING(),
            max_batch_bytes=10_000,
            max_frame_bytes=10_000,
        )
    )
    assert "max_frame_bytes" in text
    assert "10000" in text


def test_results_that_are_too_large_for_the_transport_fail_the_job(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    function = Returning(lambda inputs: ["x" * 20_000 for _ in inputs])
    text = failure_of(
        wait_batch(
            numbers(1),
            function,
            TIMEOUT,
            1,
            output_type=Types.STRING(),
            max_batch_bytes=10_000,
            max_frame_bytes=10_000,
        )
    )
    assert "max_frame_bytes" in text
    assert "10000" in text


class DiesAt(AsyncBatchFunction[int, int]):
    def __init__(self, row: int) -> None:
        self.row = row

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        if self.row in inputs:
            os.kill(os.getpid(), signals.SIGKILL)
        return inputs


@pytest.mark.process_mode
def test_the_death_of_the_worker_fails_the_job_with_its_exit_status(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    text = failure_of(wait_batch(numbers(100), DiesAt(50), TIMEOUT, 4, output_type=Types.LONG()))
    assert re.search(r"SIGKILL|\b137\b|signal 9|status -9", text)
