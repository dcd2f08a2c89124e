"""What a batch sees of a call that it shares with others."""

import asyncio
from datetime import timedelta
from typing import Any, Awaitable, Callable, List, Optional

import pytest
from pyflink_async_batch import (
    AsyncBatchFunction,
    BatchTooLarge,
    ExponentialBackoffRetryStrategy,
    RetryLater,
    RowFailure,
)
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.batch_invocation import BatchInvocation
from pyflink_async_batch._worker.merged_calls import MergedCalls
from pyflink_async_batch._worker.retry_policy import RetryPolicy
from recorded_answers import Answers

Failure = async_batch_pb2.Failure

MOST_ROWS = 100


class Function(AsyncBatchFunction):
    """Keeps what it is called with."""

    def __init__(self, coroutine: Callable[[List[Any]], Awaitable[Any]]) -> None:
        self.coroutine = coroutine
        self.calls: List[List[Any]] = []

    async def async_invoke_batch(self, inputs: List[Any]) -> Any:
        self.calls.append(list(inputs))
        return await self.coroutine(inputs)

    def timeout_batch(self, inputs: List[Any]) -> Any:
        return ["late %d" % row for row in inputs]


class Batches:
    """Batches in flight in one function."""

    def __init__(
        self,
        coroutine: Callable[[List[Any]], Awaitable[Any]],
        most_calls: int = 100,
        strategy: Any = None,
        separate_failures: bool = False,
    ) -> None:
        self.function = Function(coroutine)
        self.answers = Answers()
        self.merged = MergedCalls(
            self.function,
            self.answers,
            async_batch_pb2.CallMerging(
                most_rows=MOST_ROWS,
                most_bytes=1_000_000,
                most_calls=most_calls,
                separate_failures=separate_failures,
            ),
        )
        self.retry = None if strategy is None else RetryPolicy(strategy)
        self.invocations: List[BatchInvocation] = []
        self.rows: List[int] = []

    def invoke(self, *inputs: int) -> "asyncio.Task[None]":
        rows = len(inputs)
        invocation = BatchInvocation(
            self.function,
            self.answers.answerer,
            self.retry,
            lambda given, early: self.merged.invoke(given, early, rows, rows),
        )
        self.invocations.append(invocation)
        self.rows.append(rows)
        return invocation.invoke(self.request(async_batch_pb2.INVOKE, rows), list(inputs))

    def time_out(self, number: int, *inputs: int) -> "asyncio.Task[None]":
        request = self.request(async_batch_pb2.TIMEOUT, len(inputs), number)
        return self.invocations[number - 1].time_out(request, list(inputs))

    def request(self, kind: int, rows: int, number: Optional[int] = None) -> Any:
        return async_batch_pb2.FrameHeader(
            kind=kind,
            caller=7,
            batch_id=number or len(self.invocations),
            attempt=1,
            row_count=rows,
        )

    def set_function(self, function: Any) -> None:
        self.function = function
        self.merged._function = function

    def told(self) -> Any:
        """Results by batch and index, of functions that yield them."""
        by_batch: Any = {}
        for header, body in self.answers.sent:
            if header.kind in (async_batch_pb2.PART, async_batch_pb2.RESULT):
                by_batch.setdefault(header.batch_id, Answers()).sent.append((header, body))
        counts = {number + 1: rows for number, rows in enumerate(self.rows)}
        return {
            (batch, index): value
            for batch, answers in by_batch.items()
            for index, value in answers.rows(counts[batch]).items()
        }

    def results(self) -> Any:
        return {
            header.batch_id: body
            for header, body in self.answers.sent
            if header.kind == async_batch_pb2.RESULT
        }

    def repeated(self) -> Any:
        return {
            header.batch_id: header.failure
            for header, _ in self.answers.sent
            if header.kind == async_batch_pb2.RETRY
        }

    def failures(self) -> Any:
        return {
            header.batch_id: header.failure
            for header, _ in self.answers.sent
            if header.kind == async_batch_pb2.FAILURE
        }


async def double(inputs: List[int]) -> List[int]:
    return [2 * value for value in inputs]


def test_each_batch_of_a_call_gets_its_own_results() -> None:
    async def run() -> None:
        batches = Batches(double)
        await asyncio.gather(batches.invoke(1, 2), batches.invoke(3), batches.invoke(4, 5, 6))
        assert batches.function.calls == [[1, 2, 3, 4, 5, 6]]
        assert batches.results() == {1: b"[2, 4]", 2: b"[6]", 3: b"[8, 10, 12]"}
        assert {header.caller for header, _ in batches.answers.sent} == {7}

    asyncio.run(run())


def test_a_batch_that_comes_later_does_not_wait_for_the_first() -> None:
    async def run() -> None:
        may_end = asyncio.Event()

        async def wait(inputs: List[int]) -> List[int]:
            if 1 in inputs:
                await may_end.wait()
            return inputs

        batches = Batches(wait)
        first = batches.invoke(1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await batches.invoke(2)
        assert batches.results() == {2: b"[2]"}
        may_end.set()
        await first
        assert batches.function.calls == [[1], [2]]

    asyncio.run(run())


def test_batches_that_wait_for_a_running_call_are_merged() -> None:
    async def run() -> None:
        started, may_end = asyncio.Event(), asyncio.Event()

        async def wait(inputs: List[int]) -> List[int]:
            started.set()
            await may_end.wait()
            return inputs

        batches = Batches(wait, most_calls=1)
        tasks = [batches.invoke(1)]
        await started.wait()
        tasks.append(batches.invoke(2))
        await asyncio.sleep(0)
        tasks.append(batches.invoke(3))
        may_end.set()
        await asyncio.gather(*tasks)
        assert batches.function.calls == [[1], [2, 3]]
        assert batches.results() == {1: b"[1]", 2: b"[2]", 3: b"[3]"}

    asyncio.run(run())


@pytest.mark.parametrize(
    "error",
    [ValueError("boom"), asyncio.CancelledError("boom"), SystemExit("boom")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_fails_every_batch_of_the_call(error: BaseException) -> None:
    async def fail(inputs: List[int]) -> None:
        raise error

    async def run() -> None:
        batches = Batches(fail)
        await asyncio.gather(batches.invoke(1), batches.invoke(2), batches.invoke(3))
        failures = batches.failures()
        assert sorted(failures) == [1, 2, 3]
        for failure in failures.values():
            assert failure.kind == Failure.USER_CODE
            assert failure.error_class.endswith(type(error).__name__)
            assert "in fail" in failure.traceback
        # None shows how it came to another.
        assert len({failure.traceback for failure in failures.values()}) == 1

    asyncio.run(run())


@pytest.mark.parametrize("results", [[1, 2], [1, 2, 3, 4, 5], None, "abcd", {1: 2}])
def test_results_that_are_not_one_for_each_input_are_no_ones(results: Any) -> None:
    async def misfit(inputs: List[int]) -> Any:
        return results

    async def run() -> None:
        batches = Batches(misfit)
        await asyncio.gather(batches.invoke(1, 2), batches.invoke(3, 4))
        failures = batches.failures()
        assert sorted(failures) == [1, 2]
        for failure in failures.values():
            assert failure.kind == Failure.INVALID_RESULT
            assert "Function.async_invoke_batch" in failure.message
            assert "4 inputs" in failure.message

    asyncio.run(run())


def test_a_batch_that_times_out_leaves_the_others_alone() -> None:
    async def run() -> None:
        started, may_end = asyncio.Event(), asyncio.Event()

        async def wait(inputs: List[int]) -> List[int]:
            started.set()
            await may_end.wait()
            return inputs

        batches = Batches(wait)
        first, second = batches.invoke(1), batches.invoke(2)
        await started.wait()
        await batches.time_out(1, 1)
        assert batches.results() == {1: b"['late 1']"}
        may_end.set()
        await asyncio.gather(first, second)
        assert batches.function.calls == [[1, 2]]
        assert batches.results() == {1: b"['late 1']", 2: b"[2]"}

    asyncio.run(run())


def test_the_coroutine_is_cancelled_when_the_last_batch_times_out() -> None:
    async def run() -> None:
        events: List[str] = []
        started = asyncio.Event()

        async def hang(inputs: List[int]) -> None:
            started.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                events.append("cleaned up")

        batches = Batches(hang)
        batches.invoke(1)
        batches.invoke(2)
        await started.wait()
        await batches.time_out(1, 1)
        assert events == []
        await batches.time_out(2, 2)
        # Before timeout_batch ran, as for a call of its own.
        assert events == ["cleaned up"]
        assert batches.results() == {1: b"['late 1']", 2: b"['late 2']"}

    asyncio.run(run())


def test_a_batch_that_times_out_while_it_waits_is_in_no_call() -> None:
    async def run() -> None:
        started, may_end = asyncio.Event(), asyncio.Event()

        async def wait(inputs: List[int]) -> List[int]:
            started.set()
            await may_end.wait()
            return inputs

        batches = Batches(wait, most_calls=1)
        tasks = [batches.invoke(1)]
        await started.wait()
        batches.invoke(2)
        tasks.append(batches.invoke(3))
        await asyncio.sleep(0)
        await batches.time_out(2, 2)
        may_end.set()
        await asyncio.gather(*tasks)
        assert batches.function.calls == [[1], [3]]
        assert batches.results() == {1: b"[1]", 2: b"['late 2']", 3: b"[3]"}

    asyncio.run(run())


def test_a_cancelled_call_makes_room_for_those_that_wait() -> None:
    async def run() -> None:
        started = asyncio.Event()

        async def hang(inputs: List[int]) -> List[int]:
            if 1 in inputs:
                started.set()
                await asyncio.Event().wait()
            return inputs

        batches = Batches(hang, most_calls=1)
        batches.invoke(1)
        await started.wait()
        second = batches.invoke(2)
        batches.invocations[0].cancel()
        await second
        assert batches.results() == {2: b"[2]"}
        assert batches.invocations[0].is_done()

    asyncio.run(run())


def test_each_batch_decides_by_itself_whether_to_repeat() -> None:
    async def run() -> None:
        strategy = ExponentialBackoffRetryStrategy(
            3, timedelta(seconds=1), result_predicate=lambda results: 4 in results
        )
        batches = Batches(double, strategy=strategy)
        await asyncio.gather(batches.invoke(1), batches.invoke(2))
        assert batches.results() == {1: b"[2]"}
        (retry,) = [h for h, _ in batches.answers.sent if h.kind == async_batch_pb2.RETRY]
        assert (retry.batch_id, retry.caller) == (2, 7)

    asyncio.run(run())


def test_rows_that_fail_are_those_of_their_own_batch() -> None:
    async def odd_ones(inputs: List[int]) -> List[Any]:
        return [
            value if value % 2 else RowFailure(ValueError("even %d" % value)) for value in inputs
        ]

    async def run() -> None:
        batches = Batches(odd_ones)
        await asyncio.gather(batches.invoke(1, 2), batches.invoke(3), batches.invoke(4, 5, 6))
        assert batches.function.calls == [[1, 2, 3, 4, 5, 6]]
        assert batches.results() == {1: b"[1]", 2: b"[3]", 3: b"[5]"}
        told = {
            (header.batch_id, row.index, row.failure.message)
            for header, _ in batches.answers.sent
            for row in header.row_failures
        }
        assert told == {(1, 1, "even 2"), (3, 0, "even 4"), (3, 2, "even 6")}

    asyncio.run(run())


def test_whose_fault_it_is_is_found_by_calling_for_each_batch_alone() -> None:
    async def fail(inputs: List[int]) -> None:
        raise ValueError("one of them is bad")

    async def run() -> None:
        batches = Batches(fail, separate_failures=True)
        await asyncio.gather(batches.invoke(1), batches.invoke(2))
        assert batches.failures() == {}
        repeated = batches.repeated()
        assert sorted(repeated) == [1, 2]
        assert {failure.message for failure in repeated.values()} == {"one of them is bad"}
        assert {header.retry_delay_millis for header, _ in batches.answers.sent} == {0}

    asyncio.run(run())


def test_that_there_is_too_much_to_do_is_no_batchs_fault() -> None:
    async def refuse(inputs: List[int]) -> None:
        raise RetryLater(30)

    async def run() -> None:
        batches = Batches(refuse, separate_failures=True)
        await asyncio.gather(batches.invoke(1), batches.invoke(2))
        assert sorted(batches.repeated()) == [1, 2]
        for header, _ in batches.answers.sent:
            assert header.failure.kind == Failure.OVERLOADED
            assert header.retry_delay_millis >= 30_000

    asyncio.run(run())


def test_a_call_of_one_batch_is_no_one_elses_fault() -> None:
    async def fail(inputs: List[int]) -> None:
        raise ValueError("bad")

    async def run() -> None:
        batches = Batches(fail, separate_failures=True)
        await batches.invoke(1)
        assert sorted(batches.failures()) == [1]

    asyncio.run(run())


def test_a_call_that_is_too_large_is_taken_apart_and_the_next_ones_are_smaller() -> None:
    async def at_most_three(inputs: List[int]) -> List[int]:
        if len(inputs) > 3:
            raise BatchTooLarge("more than three")
        return inputs

    async def run() -> None:
        batches = Batches(at_most_three)
        await asyncio.gather(*(batches.invoke(2 * i, 2 * i + 1) for i in range(3)))
        assert sorted(batches.repeated()) == [1, 2, 3]
        batches.function.calls.clear()
        await asyncio.gather(*(batches.invoke(2 * i, 2 * i + 1) for i in range(3)))
        # Three rows at most: batches stay whole.
        assert batches.function.calls == [[0, 1], [2, 3], [4, 5]]
        assert sorted(batches.results()) == [4, 5, 6]

    asyncio.run(run())


class Yielding(AsyncBatchFunction):
    """Yields the rows of a call from the last to the first, in two turns of the loop."""

    def __init__(self, fails_after: Optional[int] = None) -> None:
        self.fails_after = fails_after
        self.calls: List[List[int]] = []
        self.closed = 0

    async def async_invoke_batch(self, inputs: List[int]) -> Any:
        self.calls.append(inputs)
        try:
            for count, index in enumerate(reversed(range(len(inputs)))):
                if count == self.fails_after:
                    raise ValueError("no more")
                if count == len(inputs) // 2:
                    await asyncio.sleep(0)
                yield index, 10 * inputs[index]
        finally:
            self.closed += 1


def test_rows_that_are_yielded_are_those_of_their_own_batch() -> None:
    async def run() -> None:
        batches = Batches(double)
        batches.set_function(Yielding())
        await asyncio.gather(batches.invoke(1, 2), batches.invoke(3, 4, 5))
        assert batches.function.calls == [[1, 2, 3, 4, 5]]
        assert batches.told() == {(1, 0): 10, (1, 1): 20, (2, 0): 30, (2, 1): 40, (2, 2): 50}

    asyncio.run(run())


def test_what_was_yielded_before_a_failure_is_not_repeated() -> None:
    async def run() -> None:
        batches = Batches(double, separate_failures=True)
        batches.set_function(Yielding(fails_after=3))
        await asyncio.gather(batches.invoke(1, 2), batches.invoke(3, 4))
        # The second batch has all of its rows, the first has one.
        assert batches.told() == {(1, 1): 20, (2, 0): 30, (2, 1): 40}
        assert sorted(batches.repeated()) == [1]
        assert batches.function.closed == 1

    asyncio.run(run())
