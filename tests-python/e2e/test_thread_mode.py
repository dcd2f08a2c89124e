"""What is particular to Python inside the JVM: it is shared, and cannot be killed."""

import asyncio
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

TIMEOUT = Time.seconds(60)


@pytest.fixture
def execution_mode() -> str:
    return "thread"


class Identity(AsyncBatchFunction[Any, Any]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return inputs


class BlocksUntilCheckpoints(AsyncBatchFunction[int, int]):
    """Blocks its event loop, once, until two more checkpoints are complete."""

    def __init__(self, checkpoints: str) -> None:
        self.checkpoints = checkpoints

    def open(self, runtime_context: Any) -> None:
        self.blocked = False

    def completed(self) -> int:
        found = Path(self.checkpoints).glob("*/chk-*/_metadata")
        return max((int(path.parent.name[len("chk-") :]) for path in found), default=0)

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        needed = 0 if self.blocked else self.completed() + 2
        self.blocked = True
        while self.completed() < needed:
            time.sleep(0.01)
        return inputs


def test_a_blocked_event_loop_does_not_block_checkpoints(
    environment: StreamExecutionEnvironment, numbers: Any, collect: Any, tmp_path: Path
) -> None:
    checkpoints = tmp_path / "checkpoints"
    configuration = Configuration()
    configuration.set_string("execution.checkpointing.interval", "50 ms")
    configuration.set_string("execution.checkpointing.dir", checkpoints.as_uri())
    environment.configure(configuration)
    stream = AsyncDataStream.ordered_wait_batch(
        numbers(1000),
        BlocksUntilCheckpoints(str(checkpoints)),
        TIMEOUT,
        10,
        capacity=2,
        output_type=Types.LONG(),
    )
    assert collect(stream) == list(range(1000))


class Hanging(AsyncBatchFunction[Any, Any]):
    """Blocks its event loop until somebody writes to a pipe."""

    def __init__(self, pipe: str, signal: str) -> None:
        self.pipe = pipe
        self.signal = signal

    def tell(self, line: str) -> None:
        with open(self.signal, "a") as signal:
            signal.write(f"{line}\n")

    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        self.tell("invoked")
        with open(self.pipe) as pipe:  # noqa: ASYNC230 blocking the loop is what is tested
            pipe.read()
        return inputs

    def close(self) -> None:
        self.tell("closed")


def test_a_job_can_be_cancelled_while_user_code_hangs(
    environment: StreamExecutionEnvironment, open_source: Any, signal: Any, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    open_source.write("a")
    AsyncDataStream.unordered_wait_batch(
        open_source.stream(),
        Hanging(str(pipe), signal.path),
        Time.hours(1),
        1,
        output_type=Types.STRING(),
    ).print()
    job = environment.execute_async()
    assert signal.wait() == "invoked"

    job.cancel().result()
    with pytest.raises(Py4JJavaError, match="cancel"):
        job.get_job_execution_result().result()

    # It is left to itself, and leaves as soon as it can.
    assert any("Hanging" in name for name in python_threads())
    pipe.write_text("go on")
    assert signal.wait() == "closed"


def python_threads() -> list[str]:
    threads = get_gateway().jvm.java.lang.Thread.getAllStackTraces().keySet()
    return [thread.getName() for thread in threads if "python-thread-" in thread.getName()]


def test_an_interpreter_that_is_another_one_is_refused(
    environment: StreamExecutionEnvironment,
    numbers: Any,
    collect: Any,
    failure_of: Any,
    tmp_path: Path,
) -> None:
    def stream() -> Any:
        return AsyncDataStream.unordered_wait_batch(
            numbers(2), Identity(), TIMEOUT, 2, output_type=Types.LONG()
        )

    collect(stream())
    other = tmp_path / "other-python"
    other.write_text("#!/bin/sh\necho '>'; echo '> /opt/other'\n")
    other.chmod(0o755)
    environment.set_python_executable(str(other))
    text = failure_of(stream())
    assert "one Python for all jobs of a TaskManager" in text
    assert sys.prefix in text
    assert "/opt/other" in text


def test_missing_packages_are_named(
    environment: StreamExecutionEnvironment, numbers: Any, failure_of: Any, tmp_path: Path
) -> None:
    bare = tmp_path / "bare-python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    bare.chmod(0o755)
    environment.set_python_executable(str(bare))
    text = failure_of(
        AsyncDataStream.unordered_wait_batch(
            numbers(2), Identity(), TIMEOUT, 2, output_type=Types.LONG()
        )
    )
    assert "lacks them: pemja pyarrow pyflink pyflink_async_batch" in text


class Measuring(AsyncBatchFunction[int, int]):
    def open(self, runtime_context: Any) -> None:
        group = runtime_context.get_metrics_group().add_group("model").add_group("name", "digits")
        self.counter = group.counter("calls")
        self.meter = group.meter("rows")
        self.largest = group.distribution("largest")
        group.gauge("threads", threading.active_count)
        group.gauge("wrong", lambda: 1 // 0)

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        self.counter.inc()
        self.meter.mark_event(len(inputs))
        self.largest.update(max(inputs))
        return [self.counter.get_count()] * len(inputs)


def test_metrics_of_the_function_are_flinks_own(numbers: Any, collect: Any) -> None:
    stream = AsyncDataStream.ordered_wait_batch(
        numbers(6), Measuring(), TIMEOUT, 2, capacity=1, output_type=Types.LONG()
    )
    assert collect(stream) == [1, 1, 2, 2, 3, 3]


def test_jobs_share_modules_but_not_functions(
    environment: StreamExecutionEnvironment, numbers: Any, collect: Any
) -> None:
    class Numbering(AsyncBatchFunction[int, str]):
        """Counts the functions that were opened in a module, and its own batches in itself."""

        def open(self, runtime_context: Any) -> None:
            import colorsys as module

            module.opened = getattr(module, "opened", 0) + 1  # type: ignore[attr-defined]
            self.number = module.opened  # type: ignore[attr-defined]
            self.batches = 0

        async def async_invoke_batch(self, inputs: list[int]) -> list[str]:
            self.batches += 1
            await asyncio.sleep(0)
            return [f"{self.number} {self.batches}"] * len(inputs)

    for job in (1, 2):
        stream = AsyncDataStream.ordered_wait_batch(
            numbers(2), Numbering(), TIMEOUT, 1, capacity=1, output_type=Types.STRING()
        )
        assert collect(stream) == [f"{job} 1", f"{job} 2"]
