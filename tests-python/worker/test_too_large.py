"""Which errors have a batch halved."""

from datetime import timedelta
from typing import Any, List, Optional, Tuple

import grpc
import pytest
from pyflink_async_batch import BatchTooLarge, ExponentialBackoffRetryStrategy
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.retry_policy import RetryPolicy
from pyflink_async_batch._worker.too_large import Size, said_of_size
from recorded_answers import Answers

Failure = async_batch_pb2.Failure


def named(module: str, name: str, base: type = RuntimeError) -> Any:
    """A class as a library has it that is not installed here."""
    return type(name, (base,), {"__module__": module})


def status(
    code: grpc.StatusCode, metadata: Optional[List[Tuple[str, Any]]] = None
) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(
        code, grpc.aio.Metadata(), grpc.aio.Metadata(*(metadata or [])), "details"
    )


def raised_from(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


class SubError(BatchTooLarge):
    pass


TORCH = named("torch", "OutOfMemoryError")
EXHAUSTED = status(grpc.StatusCode.RESOURCE_EXHAUSTED)


@pytest.mark.parametrize(
    "error",
    [
        BatchTooLarge("17 rows"),
        SubError(),
        MemoryError(),
        TORCH("CUDA out of memory"),
        named("torch.cuda", "OutOfMemoryError")(),
        type("Derived", (TORCH,), {})(),
        named("cupy.cuda.memory", "OutOfMemoryError", MemoryError)(),
        raised_from(ValueError("no result"), raised_from(KeyError(), TORCH())),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_says_that_there_is_no_memory_says_that_the_batch_is_too_large(error: Any) -> None:
    assert said_of_size(error) is Size.TOO_LARGE


@pytest.mark.parametrize("error", [EXHAUSTED, raised_from(ValueError(), EXHAUSTED)])
def test_an_exhausted_server_may_say_so(error: Any) -> None:
    assert said_of_size(error) is Size.MAY_BE_TOO_LARGE


def test_a_call_of_grpc_without_asyncio_is_known_too() -> None:
    class RpcError(grpc.RpcError):
        def code(self) -> Any:
            return grpc.StatusCode.RESOURCE_EXHAUSTED

        def trailing_metadata(self) -> Any:
            return None

    assert said_of_size(RpcError()) is Size.MAY_BE_TOO_LARGE


@pytest.mark.parametrize(
    "error",
    [
        ValueError("out of memory"),
        status(grpc.StatusCode.UNAVAILABLE),
        status(grpc.StatusCode.RESOURCE_EXHAUSTED, [("grpc-retry-pushback-ms", "100")]),
        status(grpc.StatusCode.RESOURCE_EXHAUSTED, [("retry-after", "1")]),
        status(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            [("grpc-status-details-bin", b"\x1a\x10type.googleapis.com/google.rpc.RetryInfo")],
        ),
        grpc.RpcError(),
        named("torch", "AcceleratorError")(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_say_nothing_of_size(error: Any) -> None:
    assert said_of_size(error) is Size.NOTHING


def test_causes_that_go_round_in_circles_end() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert said_of_size(first) is Size.NOTHING


TWICE = RetryPolicy(
    ExponentialBackoffRetryStrategy(2, timedelta(seconds=1), exception_predicate=lambda error: True)
)


@pytest.mark.parametrize(
    ("error", "rows", "attempt", "retry", "kind", "failure"),
    [
        # Halved at once, whatever the strategy: the same batch is as large the next time.
        (BatchTooLarge(), 2, 1, TWICE, "FAILURE", Failure.TOO_LARGE),
        (BatchTooLarge(), 2, 1, None, "FAILURE", Failure.TOO_LARGE),
        # A single row can only be tried again.
        (BatchTooLarge(), 1, 1, TWICE, "RETRY", Failure.TOO_LARGE),
        (BatchTooLarge(), 1, 3, TWICE, "FAILURE", Failure.TOO_LARGE),
        # A server that may have had too much to do is asked again first.
        (EXHAUSTED, 2, 2, TWICE, "RETRY", Failure.TOO_LARGE),
        (EXHAUSTED, 2, 3, TWICE, "FAILURE", Failure.TOO_LARGE),
        (EXHAUSTED, 1, 3, TWICE, "FAILURE", Failure.OVERLOADED),
        (ValueError(), 2, 3, TWICE, "FAILURE", Failure.USER_CODE),
    ],
)
def test_what_follows(
    error: Exception, rows: int, attempt: int, retry: Any, kind: str, failure: Any
) -> None:
    answers = Answers()
    request = async_batch_pb2.FrameHeader(
        kind=async_batch_pb2.INVOKE, batch_id=1, attempt=attempt, row_count=rows
    )
    answers.answerer.failure(request, error, Failure.USER_CODE, retry)
    header, _ = answers.only()
    assert answers.kinds() == [kind]
    assert header.failure.kind == failure
