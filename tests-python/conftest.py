"""What the tests of the client and of running jobs share."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncDataStream


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
