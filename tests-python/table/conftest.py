"""Tables on a real MiniCluster, with the wheel and the jar that users install."""

from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import StreamTableEnvironment
from pyflink_async_batch.table import use_async_batch_models

# No job here takes anywhere near as long, unless it hangs.
HANG_SECONDS = 120


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(HANG_SECONDS))


@pytest.fixture
def tables() -> Iterator[StreamTableEnvironment]:
    """A table environment of its own for each test, in the one JVM of the test session."""
    configuration = Configuration()
    configuration.set_string("parallelism.default", "1")
    configuration.set_string("restart-strategy.type", "none")
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    tables = StreamTableEnvironment.create(environment)
    use_async_batch_models(tables)
    yield tables
    environment.close()


@pytest.fixture
def ship(tables: StreamTableEnvironment, tmp_path: Path) -> Callable[[str, str], None]:
    """Ships a module to the workers, by PyFlink's own option."""

    def write(name: str, source: str) -> None:
        file = tmp_path / ("%s.py" % name)
        file.write_text(source)
        tables.add_python_file(str(file))

    return write
