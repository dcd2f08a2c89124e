"""Gives each test a cluster that answers as one once did."""

from collections.abc import Iterator

import pytest
from flink_rest_stub import FlinkRestStub


@pytest.fixture
def stub() -> Iterator[FlinkRestStub]:
    stub = FlinkRestStub()
    yield stub
    stub.close()
