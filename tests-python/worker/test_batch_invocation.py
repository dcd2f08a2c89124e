"""What one batch's answer is, whatever the user's coroutine does."""

import asyncio
import contextlib
from typing import Any, Awaitable, Callable, List, Optional, Tuple

import pytest
from pyflink_async_batch import AsyncBatchFunction, RowFailure
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.batch_invocation import BatchInvocation
from recorded_answers import MISFIT, Answers

Failure = async_batch_pb2.Failure


def request(kind: int, row_count: int = 2) -> Any:
    return async_batch_pb2.FrameHeader(kind=kind, batch_id=5, attempt=3, row_count=row_count)


INVOKE = request(async_batch_pb2.INVOKE)
TIMEOUT = request(async_batch_pb2.TIMEOUT)


def function(
    coroutine: Callable[[List[Any]], Awaitable[Any]],
    timeout: Optional[Callable[[List[Any]], Any]] = None,
) -> AsyncBatchFunction:
    class Function(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[Any]) -> Any:
            return await coroutine(inputs)

        def timeout_batch(self, inputs: List[Any]) -> Any:
            return super().timeout_batch(inputs) if timeout is None else timeout(inputs)

    return Function()


def answer_to_invoke(coroutine: Callable[[List[Any]], Awaitable[Any]]) -> Tuple[Any, Any]:
    answers = Answers()

    async def run() -> None:
        invocation = BatchInvocation(function(coroutine), answers.answerer)
        await invocation.invoke(INVOKE, [1, 2])
        assert invocation.is_done()

    asyncio.run(run())
    return answers.only()


async def _raise(error: BaseException) -> None:
    raise error


def test_results_are_encoded_and_answer_their_request() -> None:
    async def double(inputs: List[int]) -> List[int]:
        return [2 * i for i in inputs]

    header, body = answer_to_invoke(double)
    assert body == b"[2, 4]"
    assert (header.kind, header.answers) == (async_batch_pb2.RESULT, async_batch_pb2.INVOKE)
    assert (header.batch_id, header.attempt, header.row_count) == (5, 3, 2)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("boom"),
        asyncio.CancelledError("boom"),
        SystemExit("boom"),
        KeyboardInterrupt("boom"),
        StopAsyncIteration("boom"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_the_coroutine_raises_is_a_failure(error: BaseException) -> None:
    header, _ = answer_to_invoke(lambda inputs: _raise(error))
    assert header.kind == async_batch_pb2.FAILURE
    assert header.failure.kind == Failure.USER_CODE
    assert header.failure.error_class.endswith(type(error).__name__)
    assert header.failure.message == "boom"
    assert "in _raise" in header.failure.traceback


@pytest.mark.parametrize(
    ("results", "complaint"),
    [
        (None, "cannot be none"),
        ("ab", "should be of list type"),
        (b"ab", "should be of list type"),
        ({1: 2, 3: 4}, "should be of list type"),
        ({1, 2}, "should be of list type"),
        ((1, 2), "should be of list type"),
        (iter([1, 2]), "should be of list type"),
        ([1], "2 inputs, but has 1"),
        ([1, 2, 3], "2 inputs, but has 3"),
        ([], "2 inputs, but has 0"),
        (["x" * 1000, ""], "more than the most of 1000"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_results_that_are_not_one_output_per_input(results: Any, complaint: str) -> None:
    async def return_them(inputs: List[Any]) -> Any:
        return results

    header, _ = answer_to_invoke(return_them)
    assert header.failure.kind == Failure.INVALID_RESULT
    assert complaint in header.failure.message
    assert "Function.async_invoke_batch" in header.failure.message


def test_an_array_is_refused_with_a_hint() -> None:
    numpy = pytest.importorskip("numpy")

    async def return_array(inputs: List[Any]) -> Any:
        return numpy.array(inputs)

    header, _ = answer_to_invoke(return_array)
    assert "'ndarray'. Call its 'tolist' method." in header.failure.message


def test_a_method_that_returns_no_awaitable() -> None:
    answers = Answers()

    class Returns(AsyncBatchFunction):
        def async_invoke_batch(self, inputs: List[Any]) -> Any:  # type: ignore[override]
            return inputs

    async def run() -> None:
        await BatchInvocation(Returns(), answers.answerer).invoke(INVOKE, [1, 2])

    asyncio.run(run())
    assert "should return an awaitable" in answers.only()[0].failure.message


def time_out(fn: AsyncBatchFunction, answers: Answers) -> None:
    async def run() -> None:
        invocation = BatchInvocation(fn, answers.answerer)
        first = invocation.invoke(INVOKE, [1, 2])
        await asyncio.sleep(0)
        await invocation.time_out(TIMEOUT, [1, 2])
        if not first.done():
            first.cancel()

    asyncio.run(run())


def test_timeout_cancels_the_coroutine_before_it_answers_in_its_place() -> None:
    events: List[str] = []
    answers = Answers()

    async def hang(inputs: List[Any]) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            events.append("cleaned up")

    def substitute(inputs: List[Any]) -> List[Any]:
        events.append("timeout_batch")
        return [-i for i in inputs]

    time_out(function(hang, substitute), answers)
    header, body = answers.only()
    assert events == ["cleaned up", "timeout_batch"]
    assert body == b"[-1, -2]"
    assert (header.kind, header.answers) == (async_batch_pb2.RESULT, async_batch_pb2.TIMEOUT)


def test_timeout_batch_raises_a_timeout_error_by_default() -> None:
    answers = Answers()
    time_out(
        function(lambda inputs: asyncio.wait_for(asyncio.get_running_loop().create_future(), None)),
        answers,
    )
    failure = answers.only()[0].failure
    assert failure.kind == Failure.TIMEOUT_HANDLER
    assert failure.error_class == "TimeoutError"


def test_a_coroutine_that_survives_its_cancellation_answers_nothing() -> None:
    answers = Answers()

    async def stubborn(inputs: List[Any]) -> List[Any]:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
        return inputs

    time_out(function(stubborn, lambda inputs: [None, None]), answers)
    assert answers.only()[1] == b"[None, None]"


def test_a_timeout_that_crosses_the_result_is_answered_all_the_same() -> None:
    answers = Answers()

    async def quick(inputs: List[Any]) -> List[Any]:
        return inputs

    async def run() -> None:
        invocation = BatchInvocation(function(quick, lambda inputs: [0, 0]), answers.answerer)
        await invocation.invoke(INVOKE, [1, 2])
        await invocation.time_out(TIMEOUT, [1, 2])

    asyncio.run(run())
    assert [header.answers for header, _ in answers.sent] == [
        async_batch_pb2.INVOKE,
        async_batch_pb2.TIMEOUT,
    ]


def test_a_cancelled_batch_is_not_answered() -> None:
    answers = Answers()
    cleaned_up: List[bool] = []

    async def hang(inputs: List[Any]) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            cleaned_up.append(True)

    async def run() -> None:
        invocation = BatchInvocation(function(hang), answers.answerer)
        task = invocation.invoke(INVOKE, [1, 2])
        await asyncio.sleep(0)
        invocation.cancel()
        await asyncio.wait({task})

    asyncio.run(run())
    assert cleaned_up == [True]
    assert answers.sent == []


def test_a_row_that_failed_is_told_with_its_reason_and_its_neighbours_with_their_results() -> None:
    async def some(inputs: List[int]) -> List[Any]:
        try:
            raise ValueError("unreadable")
        except ValueError as error:
            return [RowFailure(error), 20]

    header, body = answer_to_invoke(some)
    assert (header.kind, header.row_count, body) == (async_batch_pb2.RESULT, 1, b"[20]")
    (row,) = header.row_failures
    assert (row.index, row.failure.kind) == (0, Failure.ROW)
    assert (row.failure.error_class, row.failure.message) == ("ValueError", "unreadable")
    assert "in some" in row.failure.traceback


def test_a_batch_all_of_whose_rows_failed_has_no_body() -> None:
    async def none(inputs: List[int]) -> List[Any]:
        return [RowFailure("too dark")] * 2

    header, body = answer_to_invoke(none)
    assert (header.kind, header.row_count, body) == (async_batch_pb2.RESULT, 0, None)
    assert [row.index for row in header.row_failures] == [0, 1]
    assert {row.failure.message for row in header.row_failures} == {"too dark"}
    assert not any(row.failure.traceback for row in header.row_failures)


def test_more_failures_than_a_header_takes_have_parts_of_their_own() -> None:
    rows = 500
    answers = Answers()

    async def fail(inputs: List[int]) -> List[Any]:
        return [RowFailure("x" * 8000 + str(index)) if index else 7 for index in range(rows)]

    async def run() -> None:
        invocation = BatchInvocation(function(fail), answers.answerer)
        await invocation.invoke(request(async_batch_pb2.INVOKE, rows), list(range(rows)))

    asyncio.run(run())
    assert len(answers.sent) > 1
    assert set(answers.kinds()[:-1]) == {"PART"}
    assert all(header.ByteSize() < 1024 * 1024 for header, _ in answers.sent)
    told = answers.rows(rows)
    assert told.pop(0) == 7
    assert {index: failure.message[8000:] for index, failure in told.items()} == {
        index: str(index) for index in range(1, rows)
    }


def test_a_misfit_is_named_by_its_index_also_behind_rows_that_failed() -> None:
    async def some(inputs: List[int]) -> List[Any]:
        return [RowFailure("no"), MISFIT]

    header, _ = answer_to_invoke(some)
    assert header.failure.kind == Failure.INVALID_RESULT
    assert "Result 1 does not fit" in header.failure.message
