"""What the tests of the client and of running jobs share."""

import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable

import pytest
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncDataStream, BatchInferenceOptions

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "examples"))

import batch_api_stub


@pytest.fixture
def environment() -> Iterator[StreamExecutionEnvironment]:
    """An environment of its own for each test, in the one JVM of the test session."""
    configuration = Configuration()
    configuration.set_string("parallelism.default", "1")
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    yield environment
    environment.close()


@pytest.fixture(params=["ordered", "unordered"])
def ordering(request: Any) -> str:
    """Each test that uses it runs once for every ordering."""
    return str(request.param)


@pytest.fixture
def wait_batch(ordering: str) -> Any:
    """The method of AsyncDataStream for the ordering."""
    return {
        "ordered": AsyncDataStream.ordered_wait_batch,
        "unordered": AsyncDataStream.unordered_wait_batch,
    }[ordering]


@pytest.fixture
def start_batch_api() -> Iterator[Callable[..., Any]]:
    """Starts stubs of a Batch API, and ends them with the test."""
    servers = []

    def started(**options: Any) -> Any:
        server = batch_api_stub.serve(seconds=0.05, **options)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    yield started
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def batch_api_options(tmp_path: Path) -> Callable[..., BatchInferenceOptions]:
    """Options for a stub; what is None is left out."""

    def made(server: Any, **changes: Any) -> BatchInferenceOptions:
        simple = changes.get("api_shape") == "simple"
        address = f"http://127.0.0.1:{server.server_address[1]}"
        chosen: dict[str, Any] = {
            "batch_size": 10,
            "fill_time": timedelta(milliseconds=200),
            "poll_interval": timedelta(milliseconds=20),
            "retry_delay": timedelta(milliseconds=5),
            "local_dir": str(tmp_path / "batches"),
            **changes,
        }
        return BatchInferenceOptions(address if simple else address + "/v1", **chosen)

    return made
