"""Which errors have a batch halved."""

from typing import Any, List, Optional, Tuple

import grpc
import pytest
from pyflink_async_batch import BatchTooLarge
from pyflink_async_batch._worker.too_large import Size, said_of_size


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
