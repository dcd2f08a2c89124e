"""Running jobs on a real MiniCluster, with the wheel and the jar that users install.

Functions of the tests run in worker processes, which do not have the tests on their path: they are
pickled by value. What a worker did is known from what it wrote to a file or a named pipe.
"""

import functools
import os
import select
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import cloudpickle
import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

# No job here takes anywhere near as long, unless it hangs.
HANG_SECONDS = 120

# What a worker does for one caller it does for several.
SHARED_WORKER_FILES = (
    "test_batching.py",
    "test_checkpointing.py",
    "test_contained_failures.py",
    "test_failures.py",
    "test_large_batches.py",
    "test_lifecycle.py",
    "test_overload.py",
)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "process_mode: about worker processes; not run where Python is in the JVM"
    )
    config.addinivalue_line(
        "markers", "own_worker: about a worker for each subtask; not run with shared ones"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    ours = [item for item in items if here in item.path.parents]
    for item in ours:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(HANG_SECONDS))
    left_out = [item for item in ours if _is_left_out(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def _is_left_out(item: pytest.Item) -> bool:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    where = parameters.get("where", "process")
    # Which order results leave in is the operator's doing: it does not know where functions run.
    if where == "process" or parameters.get("ordering") == "ordered":
        return where != "process"
    if where == "thread":
        return item.get_closest_marker("process_mode") is not None
    return (
        item.path.name not in SHARED_WORKER_FILES
        or "wait_batch" not in getattr(item, "fixturenames", ())
        or item.get_closest_marker("own_worker") is not None
    )


@pytest.fixture(params=["process", "thread", "shared"])
def where(request: Any) -> str:
    """
    Each test runs with functions in worker processes; in threads of the JVM, unless it is marked
    ``process_mode``; and in shared worker processes, where that may make a difference.
    """
    return str(request.param)


@pytest.fixture
def execution_mode(where: str) -> str:
    """Python's execution mode."""
    return "thread" if where == "thread" else "process"


@pytest.fixture
def wait_batch(wait_batch: Any, where: str) -> Any:
    """The method of AsyncDataStream for the ordering and the worker."""
    return functools.partial(wait_batch, worker="shared") if where == "shared" else wait_batch


@pytest.fixture
def environment(execution_mode: str) -> Iterator[StreamExecutionEnvironment]:
    """An environment of its own for each test, in the one JVM of the test session."""
    configuration = Configuration()
    configuration.set_string("parallelism.default", "1")
    configuration.set_string("python.execution-mode", execution_mode)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    yield environment
    environment.close()


@pytest.fixture(autouse=True)
def pickle_functions_by_value(request: pytest.FixtureRequest) -> Iterator[None]:
    modules = [request.module, sys.modules[__name__]]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    yield
    for module in modules:
        cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture
def numbers(environment: StreamExecutionEnvironment) -> Callable[[int], DataStream]:
    """Makes a stream of the numbers from 0, from a source that takes part in checkpoints."""

    def make(count: int) -> DataStream:
        return environment.from_source(
            NumberSequenceSource(0, count - 1),
            WatermarkStrategy.no_watermarks(),
            "numbers",
            Types.LONG(),
        )

    return make


@pytest.fixture
def collect() -> Callable[[DataStream], list[Any]]:
    """Runs a job to its end and gives what came out of a stream."""

    def run(stream: DataStream) -> list[Any]:
        with stream.execute_and_collect() as results:
            return list(results)

    return run


@pytest.fixture
def failure_of(environment: StreamExecutionEnvironment) -> Callable[[DataStream], str]:
    """Runs a job that must fail and gives the text of what ``execute()`` raised."""

    def run(stream: DataStream) -> str:
        # A task may fail while its source is still being told of its splits. Flink then fails the
        # job for the message that was lost, before it learns why the task has failed.
        text = "to a task was lost"
        while "to a task was lost" in text:
            stream.print()
            with pytest.raises(Py4JJavaError) as raised:
                environment.execute()
            text = str(raised.value)
        return text

    return run


class Report:
    """A file to which workers append lines."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def lines(self) -> list[str]:
        path = Path(self.path)
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def report(tmp_path: Path) -> Report:
    return Report(tmp_path / "report")


class Signal:
    """A named pipe: lets a test wait for a worker without polling, and a worker never for it."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        os.mkfifo(path)
        # Also open for writing: a writer then never waits for the reader, nor the reader sees EOF.
        self._pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._unread = b""

    def wait(self, seconds: Optional[float] = None) -> str:
        """The next line that a worker writes."""
        while b"\n" not in self._unread:
            readable, _, _ = select.select([self._pipe], [], [], seconds or HANG_SECONDS / 2)
            assert readable, f"no line was written to {self.path}"
            self._unread += os.read(self._pipe, 65_536)
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        os.close(self._pipe)


@pytest.fixture
def signal(tmp_path: Path) -> Iterator[Signal]:
    signal = Signal(tmp_path / "signal")
    yield signal
    signal.close()


@pytest.fixture
def open_source(environment: StreamExecutionEnvironment, tmp_path: Path) -> "OpenSource":
    return OpenSource(environment, tmp_path / "open-source")


class OpenSource:
    """A source of lines that never ends: it reads the files of a directory, also future ones."""

    def __init__(self, environment: StreamExecutionEnvironment, directory: Path) -> None:
        self._environment = environment
        self._directory = directory
        self._files = 0
        directory.mkdir()

    def write(self, *lines: str) -> None:
        # Hidden while it is being written: the source skips names with a leading dot.
        hidden = self._directory / f".{self._files}"
        hidden.write_text("".join(f"{line}\n" for line in lines))
        hidden.rename(self._directory / f"{self._files}")
        self._files += 1

    def stream(self) -> DataStream:
        from pyflink.common import Duration
        from pyflink.datastream.connectors.file_system import FileSource, StreamFormat

        source = (
            FileSource.for_record_stream_format(
                StreamFormat.text_line_format(), str(self._directory)
            )
            .monitor_continuously(Duration.of_millis(50))
            .build()
        )
        return self._environment.from_source(
            source, WatermarkStrategy.no_watermarks(), "lines", Types.STRING()
        )
