"""Rows that a function yields: what is said of them, and when."""

import asyncio
import contextlib
import gc
import weakref
from typing import Any, List, Optional

import pytest
from pyflink_async_batch import AsyncBatchFunction, RowFailure
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.batch_invocation import BatchInvocation
from recorded_answers import MISFIT, Answers

Failure = async_batch_pb2.Failure


def request(kind: int, row_count: int = 2) -> Any:
    return async_batch_pb2.FrameHeader(kind=kind, batch_id=5, attempt=3, row_count=row_count)


INVOKE = request(async_batch_pb2.INVOKE)


def yielding(
    items: List[Any], events: Optional[List[str]] = None, error: Optional[Exception] = None
) -> AsyncBatchFunction:
    """Yields what is there, with a turn of the loop wherever there is a None."""

    class Function(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[Any]) -> Any:
            try:
                for item in items:
                    if item is None:
                        await asyncio.sleep(0)
                    else:
                        yield item
                if error is not None:
                    raise error
            finally:
                if events is not None:
                    events.append("closed")

        def timeout_batch(self, inputs: List[Any]) -> List[Any]:
            return [-value for value in inputs]

    return Function()


def answers_to_yields(fn: AsyncBatchFunction, row_count: int = 3) -> Answers:
    answers = Answers()

    async def run() -> None:
        invocation = BatchInvocation(fn, answers.answerer)
        header = request(async_batch_pb2.INVOKE, row_count)
        await asyncio.wait({invocation.invoke(header, list(range(row_count)))})

    asyncio.run(run())
    return answers


def test_rows_that_are_yielded_together_travel_together() -> None:
    answers = answers_to_yields(yielding([(2, "c"), (0, "a"), (1, "b")]))
    assert answers.kinds() == ["RESULT"]
    assert answers.rows(3) == {0: "a", 1: "b", 2: "c"}


def test_rows_that_are_yielded_early_travel_early() -> None:
    answers = answers_to_yields(yielding([(2, "c"), None, (1, "b"), None, (0, "a")]))
    assert answers.kinds() == ["PART", "PART", "RESULT"]
    assert answers.rows(3) == {0: "a", 1: "b", 2: "c"}
    assert {header.batch_id for header, _ in answers.sent} == {5}
    assert {header.attempt for header, _ in answers.sent} == {3}


def test_a_generator_that_goes_on_after_its_last_row_ends_its_batch() -> None:
    answers = answers_to_yields(yielding([(0, "a"), (1, "b"), (2, "c"), None, None]))
    assert answers.kinds() == ["PART", "RESULT"]
    assert answers.rows(3) == {0: "a", 1: "b", 2: "c"}


def test_rows_that_fail_may_be_yielded() -> None:
    answers = answers_to_yields(yielding([(1, RowFailure("no")), None, (0, "a"), (2, "c")]))
    told = answers.rows(3)
    assert told.pop(1).message == "no"
    assert told == {0: "a", 2: "c"}


@pytest.mark.parametrize(
    ("items", "complaint"),
    [
        ([(0, "a"), None, (0, "b")], "index 0 more than once"),
        ([(0, "a"), (3, "b")], "index 3, which is that of no input: indexes go from 0 to 2"),
        ([(-1, "b")], "index -1, which is that of no input"),
        ([(0, "a"), (2, "c")], "did not for 1: index 1."),
        ([None], "did not for 3: index 0, 1, 2."),
        (["abc"], "pairs of an index and a result, but yielded 'str'"),
        ([(0, "a", "b")], "but yielded 'a tuple of 3'"),
        ([("0", "a")], "index of a row as an int, but it is of type 'str'"),
        ([(True, "a")], "but it is of type 'bool'"),
        ([(1, MISFIT), None, None, None, (0, "a")], "Result 1 does not fit"),
        ([(1, "x" * 2000), None, None, None], "The result of index 1 is 2004 bytes"),
        ([(2, "c"), None, (1, MISFIT), (0, "a")], "Result 1 does not fit"),
    ],
)
def test_what_is_yielded_must_be_rows_of_the_batch(items: List[Any], complaint: str) -> None:
    events: List[str] = []
    answers = answers_to_yields(yielding(items, events))
    header, _ = answers.sent.pop()
    assert (header.kind, header.failure.kind) == (async_batch_pb2.FAILURE, Failure.INVALID_RESULT)
    assert complaint in header.failure.message
    # What was yielded before has left, and what is left behind is cleaned up.
    assert set(answers.kinds()) <= {"PART"}
    assert events == ["closed"]


def test_rows_that_are_too_large_together_travel_one_after_the_other() -> None:
    items = [(index, "x" * 600) for index in range(3)]
    answers = answers_to_yields(yielding(items))
    assert answers.rows(3) == dict(items)
    assert len(answers.sent) > 2


def test_rows_that_were_yielded_before_a_failure_have_left() -> None:
    answers = answers_to_yields(yielding([(1, "b")], error=ValueError("boom")))
    failure, _ = answers.sent.pop()
    assert (failure.kind, failure.failure.message) == (async_batch_pb2.FAILURE, "boom")
    assert answers.rows(3) == {1: "b"}


def test_a_failure_after_the_last_row_has_nothing_to_say() -> None:
    items = [(index, index) for index in range(3)]
    answers = answers_to_yields(yielding(items, error=ValueError("boom")))
    assert answers.kinds() == ["PART"]
    assert answers.rows(3) == dict(items)


def test_a_deadline_closes_the_generator_and_only_the_rest_is_asked_for() -> None:
    events: List[str] = []
    answers = Answers()

    class Hanging(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[Any]) -> Any:
            try:
                yield 0, inputs[0]
                await asyncio.get_running_loop().create_future()
            finally:
                await asyncio.sleep(0)
                events.append("cleaned up")

        def timeout_batch(self, inputs: List[Any]) -> List[Any]:
            events.append("timeout_batch")
            return [-value for value in inputs]

    async def run() -> None:
        invocation = BatchInvocation(Hanging(), answers.answerer)
        invocation.invoke(INVOKE, [1, 2])
        for _ in range(3):
            await asyncio.sleep(0)
        await invocation.time_out(request(async_batch_pb2.TIMEOUT, 1), [2])

    asyncio.run(run())
    assert events == ["cleaned up", "timeout_batch"]
    assert answers.kinds() == ["PART", "RESULT"]
    assert [body for _, body in answers.sent] == [b"[1]", b"[-2]"]


def test_a_generator_that_survives_its_cancellation_is_closed_at_its_next_row() -> None:
    events: List[str] = []
    answers = Answers()

    class Stubborn(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[Any]) -> Any:
            try:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.get_running_loop().create_future()
                yield 0, inputs[0]
                events.append("went on")
            finally:
                events.append("closed")

    async def run() -> None:
        invocation = BatchInvocation(Stubborn(), answers.answerer)
        task = invocation.invoke(INVOKE, [1, 2])
        await asyncio.sleep(0)
        invocation.cancel()
        await asyncio.wait({task})

    asyncio.run(run())
    assert events == ["closed"]
    assert answers.sent == []


def test_a_batch_that_has_ended_leaves_no_garbage() -> None:
    answers = Answers()

    async def run() -> "weakref.ref[BatchInvocation]":
        invocation = BatchInvocation(yielding([(1, "b"), None, (0, "a")]), answers.answerer)
        task = invocation.invoke(INVOKE, [1, 2])
        await asyncio.wait({task})
        await asyncio.sleep(0)
        return weakref.ref(invocation)

    gc.disable()
    try:
        assert asyncio.run(run())() is None
    finally:
        gc.enable()
