"""One worker process that all subtasks of an operator share."""

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any, Callable

import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink_async_batch import (
    ArrowAsyncBatchFunction,
    AsyncBatchFunction,
    UnsupportedEnvironmentError,
)

TIMEOUT = Time.seconds(60)
PARALLELISM = 4

# For what has nothing to do with the order of results.
once = pytest.mark.parametrize("ordering", ["unordered"], indirect=True)


@pytest.fixture
def where() -> str:
    return "shared"


@pytest.fixture(autouse=True)
def parallelism(environment: StreamExecutionEnvironment) -> None:
    environment.set_parallelism(PARALLELISM)


class Telling:
    """Appends to a file what becomes of it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def tell(self, *words: object) -> None:
        with open(self.path, "a") as report:
            report.write(" ".join(map(str, words)) + "\n")

    def told(self) -> list[str]:
        return Path(self.path).read_text().splitlines()

    def open(self, runtime_context: Any) -> None:
        self.tell("open", os.getpid())

    def close(self) -> None:
        self.tell("close", os.getpid())

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():  # noqa: ASYNC110 another process's doing
            await asyncio.sleep(0.01)


def told(report: Any, word: str) -> list[str]:
    return [line.split()[1] for line in report.lines() if line.split()[0] == word]


def restarting(environment: StreamExecutionEnvironment, attempts: int = 1) -> Configuration:
    configuration = Configuration()
    configuration.set_string("restart-strategy.type", "fixed-delay")
    configuration.set_string("restart-strategy.fixed-delay.attempts", str(attempts))
    configuration.set_string("restart-strategy.fixed-delay.delay", "0 ms")
    environment.configure(configuration)
    return configuration


class Pid(Telling, AsyncBatchFunction[int, int]):
    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        return [os.getpid()] * len(inputs)


def test_all_subtasks_share_one_process(
    wait_batch: Any, numbers: Any, collect: Any, report: Any
) -> None:
    stream = wait_batch(
        numbers(1000).rebalance(), Pid(report.path), TIMEOUT, 8, output_type=Types.LONG()
    )
    pids = collect(stream)
    assert len(pids) == 1000
    (pid,) = set(pids)
    assert report.lines() == [f"open {pid}", f"close {pid}"]


@once
def test_two_operators_do_not_share_a_process(
    wait_batch: Any, numbers: Any, collect: Any, report: Any
) -> None:
    function = Pid(report.path)
    first = wait_batch(numbers(10).rebalance(), function, TIMEOUT, 8, output_type=Types.LONG())
    second = wait_batch(numbers(10).rebalance(), function, TIMEOUT, 8, output_type=Types.LONG())
    assert len(set(collect(first.union(second)))) == 2
    assert len(set(told(report, "open"))) == 2


@once
def test_the_runtime_context_is_that_of_the_subtask_that_began(
    wait_batch: Any, numbers: Any, collect: Any
) -> None:
    class Context(AsyncBatchFunction[int, str]):
        def open(self, runtime_context: Any) -> None:
            self.index = runtime_context.get_index_of_this_subtask()
            self.parallelism = runtime_context.get_number_of_parallel_subtasks()
            self.name = runtime_context.get_task_name_with_subtasks()

        async def async_invoke_batch(self, inputs: list[int]) -> list[str]:
            return [f"{self.index} {self.parallelism} {self.name}"] * len(inputs)

    (context,) = set(
        collect(
            wait_batch(numbers(100).rebalance(), Context(), TIMEOUT, 8, output_type=Types.STRING())
        )
    )
    index, parallelism, name = context.split(maxsplit=2)
    assert int(index) in range(PARALLELISM)
    assert int(parallelism) == PARALLELISM
    assert f"({int(index) + 1}/{PARALLELISM})" in name


class AwaitsAllSubtasks(Telling):
    """
    Doubles numbers. Its first call waits until a batch of every subtask is in flight: each has a
    task, as have the call itself and the worker.
    """

    def open(self, runtime_context: Any) -> None:
        self.first = True

    async def begin(self, rows: int) -> None:
        self.tell("call", rows)
        if self.first:
            self.first = False
            await self.until(lambda: len(asyncio.all_tasks()) >= PARALLELISM + 2)


class DoubledRows(AwaitsAllSubtasks, AsyncBatchFunction[int, int]):
    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        await self.begin(len(inputs))
        return [2 * value for value in inputs]


class DoubledColumns(AwaitsAllSubtasks, ArrowAsyncBatchFunction):
    async def async_invoke_batch(self, inputs: pa.Array) -> pa.Array:
        await self.begin(len(inputs))
        return pc.multiply(inputs, 2)


@pytest.mark.parametrize("function", [DoubledRows, DoubledColumns], ids=["rows", "columns"])
def test_batches_of_several_subtasks_are_handled_in_one_call(
    wait_batch: Any, numbers: Any, collect: Any, report: Any, function: Any
) -> None:
    # Every subtask has one batch when its input ends, as each of the source's splits is a multiple
    # of the subtasks that its rows go to in turn. One call runs at a time.
    count = 4 * PARALLELISM**2
    stream = wait_batch(
        numbers(count).rebalance(),
        function(report.path),
        TIMEOUT,
        count,
        capacity=1,
        output_type=Types.LONG(),
    )
    assert sorted(collect(stream)) == [2 * value for value in range(count)]
    calls = [int(rows) for rows in told(report, "call")]
    assert len(calls) < PARALLELISM
    assert sum(calls) == count


class KillsItselfOnce(Telling, AsyncBatchFunction[int, int]):
    def __init__(self, path: str, checkpoints: str) -> None:
        super().__init__(path)
        self.checkpoints = checkpoints

    def completed_checkpoints(self) -> int:
        found = Path(self.checkpoints).glob("*/chk-*/_metadata")
        return max((int(path.parent.name[len("chk-") :]) for path in found), default=0)

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        # Every subtask reads a quarter of the rows.
        if inputs[0] % 2_500 >= 1_250 and len(self.told()) == 1:
            needed = self.completed_checkpoints() + 2
            await self.until(lambda: self.completed_checkpoints() >= needed)
            os.kill(os.getpid(), signal.SIGKILL)
        return inputs


def test_a_killed_worker_is_replaced_once_for_all_subtasks(
    wait_batch: Any,
    environment: StreamExecutionEnvironment,
    numbers: Any,
    collect: Any,
    report: Any,
    tmp_path: Path,
) -> None:
    checkpoints = tmp_path / "checkpoints"
    configuration = restarting(environment)
    configuration.set_string("execution.checkpointing.interval", "50 ms")
    configuration.set_string("execution.checkpointing.dir", checkpoints.as_uri())
    environment.configure(configuration)
    stream = wait_batch(
        numbers(10_000),
        KillsItselfOnce(report.path, str(checkpoints)),
        TIMEOUT,
        10,
        # The operator is full, and its input does not end, while it waits for checkpoints.
        capacity=4,
        output_type=Types.LONG(),
    )
    # What is collected is committed by checkpoints: results after the last one are not seen twice.
    assert sorted(collect(stream)) == list(range(10_000))
    opened = told(report, "open")
    assert len(opened) == len(set(opened)) == 2
    assert told(report, "close") == opened[1:]


@once
def test_a_dead_worker_fails_the_job_with_its_exit_status(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    class Dies(AsyncBatchFunction[int, int]):
        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            os._exit(3)

    failure = failure_of(
        wait_batch(numbers(100).rebalance(), Dies(), TIMEOUT, 8, output_type=Types.LONG())
    )
    assert "PythonWorkerDiedException" in failure
    assert "exit status 3" in failure


class FailsToOpenOnce(Pid):
    def open(self, runtime_context: Any) -> None:
        super().open(runtime_context)
        if len(self.told()) == 1:
            raise RuntimeError("no model")


@once
def test_a_failed_start_fails_the_job(
    wait_batch: Any, numbers: Any, failure_of: Any, report: Any
) -> None:
    failure = failure_of(
        wait_batch(
            numbers(100).rebalance(),
            FailsToOpenOnce(report.path),
            TIMEOUT,
            8,
            output_type=Types.LONG(),
        )
    )
    assert "no model" in failure


@once
def test_a_failed_start_is_tried_again(
    wait_batch: Any, environment: StreamExecutionEnvironment, numbers: Any, report: Any
) -> None:
    restarting(environment)
    wait_batch(
        numbers(100).rebalance(), FailsToOpenOnce(report.path), TIMEOUT, 8, output_type=Types.LONG()
    ).print()
    environment.execute()
    opened = told(report, "open")
    assert len(opened) == 2
    assert told(report, "close") == opened[1:]


def workers() -> list[psutil.Process]:
    jvm = psutil.Process(get_gateway().jvm.java.lang.ProcessHandle.current().pid())
    return jvm.children(recursive=True)


@once
def test_a_cancelled_job_leaves_no_process(
    wait_batch: Any,
    environment: StreamExecutionEnvironment,
    numbers: Any,
    signal: Any,
) -> None:
    class Hanging(Telling, AsyncBatchFunction[int, int]):
        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            self.tell("invoked", inputs[0])
            try:
                await asyncio.Event().wait()
            finally:
                self.tell("left", inputs[0])
            return inputs

    before = {process.pid for process in workers()}
    wait_batch(
        numbers(PARALLELISM).rebalance(), Hanging(signal.path), TIMEOUT, 1, output_type=Types.LONG()
    ).print()
    job = environment.execute_async()
    worker = psutil.Process(int(signal.wait().removeprefix("open ")))
    invoked = {signal.wait().removeprefix("invoked ") for _ in range(PARALLELISM)}
    assert len(invoked) == PARALLELISM

    job.cancel().result()
    # The wait for the job to reach its end.
    with pytest.raises(Py4JJavaError, match="cancel"):
        job.get_job_execution_result().result()

    left = {signal.wait().removeprefix("left ") for _ in range(PARALLELISM)}
    assert left == invoked
    assert signal.wait() == f"close {worker.pid}"
    worker.wait(20)
    assert [process for process in workers() if process.pid not in before] == []


def tasks_of(operator: str) -> int:
    threads = get_gateway().jvm.java.lang.Thread.getAllStackTraces().keySet()
    return sum(thread.getName().startswith(f"Source: numbers -> {operator}") for thread in threads)


@once
def test_a_subtask_that_ends_early_leaves_the_worker_to_the_others(
    wait_batch: Any, environment: StreamExecutionEnvironment, numbers: Any, report: Any
) -> None:
    class HoldsTheLastSplit(Telling, AsyncBatchFunction[int, int]):
        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            if max(inputs) >= 300:
                self.tell("held", len(inputs))
                await self.until(lambda: "go" in self.told())
            self.tell("done", len(inputs))
            return inputs

    wait_batch(
        numbers(400),
        HoldsTheLastSplit(report.path),
        TIMEOUT,
        10,
        output_type=Types.LONG(),
        name="uneven-work",
    ).print()
    job = environment.execute_async()
    deadline = time.monotonic() + 60
    while not (told(report, "held") and tasks_of("uneven-work") == 1):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert told(report, "close") == []
    with open(report.path, "a") as go:
        go.write("go\n")
    job.get_job_execution_result().result()
    assert sum(map(int, told(report, "done"))) == 400
    assert len(told(report, "open")) == len(told(report, "close")) == 1


@once
def test_a_subtask_that_fails_cancels_its_own_batches_alone(
    wait_batch: Any, environment: StreamExecutionEnvironment, numbers: Any, report: Any
) -> None:
    class FailsInTheFirstSplit(Telling, AsyncBatchFunction[int, int]):
        """A batch is a row. The first split is read by one subtask, the second by the other."""

        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            (row,) = inputs
            again = f"row {row}" in self.told()
            self.tell("row", row)
            self.tell("pid", os.getpid())
            if row == 0 and not again:
                await self.until(lambda: {"row 1", "row 100"} <= set(self.told()))
                raise RuntimeError("fails once")
            if row == 1 and not again:
                try:
                    await asyncio.Event().wait()
                finally:
                    self.tell("cancelled", row)
            if row == 100:
                await self.until(lambda: self.told().count("row 1") == 2)
            return inputs

    environment.set_parallelism(2)
    restarting(environment)
    wait_batch(numbers(200), FailsInTheFirstSplit(report.path), TIMEOUT, 1, capacity=2).print()
    environment.execute()
    assert told(report, "cancelled") == ["1"]
    rows = told(report, "row")
    assert sorted(map(int, set(rows))) == list(range(200))
    # The other subtask's batches ran once, and the worker went on.
    assert [row for row in rows if int(row) >= 100] == [str(row) for row in range(100, 200)]
    assert len(set(told(report, "pid"))) == 1


@once
def test_thread_mode_is_refused(
    wait_batch: Any, environment: StreamExecutionEnvironment, numbers: Any
) -> None:
    configuration = Configuration()
    configuration.set_string("python.execution-mode", "thread")
    environment.configure(configuration)
    with pytest.raises(UnsupportedEnvironmentError, match="worker='shared' needs"):
        wait_batch(numbers(1), Pid("unused"), TIMEOUT, 1)
