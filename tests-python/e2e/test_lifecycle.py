"""How a worker starts, what it knows of its job, and how it ends."""

import asyncio
import json
import os
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import psutil
import pyflink
import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Configuration, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink_async_batch import AsyncBatchFunction

TIMEOUT = Time.seconds(60)


def worker_processes() -> set[int]:
    jvm = psutil.Process(get_gateway().jvm.java.lang.ProcessHandle.current().pid())
    return {child.pid for child in jvm.children(recursive=True)}


def sockets_in(*directories: Path) -> set[Path]:
    found = set()
    for directory in directories:
        for parent, _, names in os.walk(directory):
            for path in (Path(parent, name) for name in names):
                try:
                    if stat.S_ISSOCK(path.lstat().st_mode):
                        found.add(path)
                except FileNotFoundError:
                    continue
    return found


class Context(AsyncBatchFunction[int, str]):
    def open(self, runtime_context: Any) -> None:
        runtime_context.get_metrics_group().counter("opened").inc()
        self.context = {
            "task": runtime_context.get_task_name(),
            "task_with_subtasks": runtime_context.get_task_name_with_subtasks(),
            "parallelism": runtime_context.get_number_of_parallel_subtasks(),
            "max_parallelism": runtime_context.get_max_number_of_parallel_subtasks(),
            "index": runtime_context.get_index_of_this_subtask(),
            "attempt": runtime_context.get_attempt_number(),
            "model": runtime_context.get_job_parameter("model", "none"),
            "missing": runtime_context.get_job_parameter("missing", "default"),
        }

    async def async_invoke_batch(self, inputs: list[int]) -> list[str]:
        return [json.dumps(self.context)] * len(inputs)


@pytest.mark.own_worker
def test_the_runtime_context_describes_the_subtask(
    wait_batch: Any, environment: StreamExecutionEnvironment, numbers: Any, collect: Any
) -> None:
    environment.set_parallelism(2)
    environment.set_max_parallelism(16)
    environment.get_config().set_global_job_parameters({"model": "digits"})
    stream = wait_batch(
        numbers(100).rebalance(),
        Context(),
        TIMEOUT,
        8,
        output_type=Types.STRING(),
        name="classify digits",
    )
    contexts = {context["index"]: context for context in map(json.loads, collect(stream))}
    assert sorted(contexts) == [0, 1]
    for index, context in contexts.items():
        assert "classify digits" in context.pop("task")
        assert f"({index + 1}/2)" in context.pop("task_with_subtasks")
        assert context == {
            "parallelism": 2,
            "max_parallelism": 16,
            "index": index,
            "attempt": 0,
            "model": "digits",
            "missing": "default",
        }


class Reporting(AsyncBatchFunction[Any, Any]):
    def __init__(self, path: str) -> None:
        self.path = path

    def tell(self, line: str) -> None:
        with open(self.path, "a") as report:
            report.write(f"{line}\n")

    def open(self, runtime_context: Any) -> None:
        self.tell(f"open {os.getpid()}")

    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return inputs

    def close(self) -> None:
        self.tell(f"close {os.getpid()}")


def test_a_worker_opens_once_and_closes_once(
    wait_batch: Any, numbers: Any, collect: Any, report: Any, execution_mode: str
) -> None:
    stream = wait_batch(numbers(100), Reporting(report.path), TIMEOUT, 8, output_type=Types.LONG())
    collect(stream)
    opened, closed = (line.split() for line in report.lines())
    assert (opened[0], closed[0]) == ("open", "close")
    assert opened[1] == closed[1]
    # In process mode it is a process of its own, not a thread of the client as in PyFlink's
    # loopback mode.
    jvm = get_gateway().jvm.java.lang.ProcessHandle.current().pid()
    assert int(opened[1]) != os.getpid()
    assert (int(opened[1]) == jvm) == (execution_mode == "thread")


def test_close_runs_when_the_function_fails(
    wait_batch: Any, numbers: Any, failure_of: Any, report: Any
) -> None:
    class Failing(Reporting):
        async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
            raise RuntimeError("no")

    failure_of(wait_batch(numbers(4), Failing(report.path), TIMEOUT, 8, output_type=Types.LONG()))
    assert [line.split()[0] for line in report.lines()] == ["open", "close"]


def test_changed_inputs_change_nothing_else(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any
) -> None:
    class Spoiling(AsyncBatchFunction[list[int], list[int]]):
        """Keeps what it is given, and changes it while later batches come."""

        def open(self, runtime_context: Any) -> None:
            self.kept: list[list[int]] = []

        async def async_invoke_batch(self, inputs: list[list[int]]) -> list[list[int]]:
            results = [list(value) for value in inputs]
            for value in self.kept:
                value.append(666)
            self.kept.extend(inputs)
            await asyncio.sleep(0)
            changed = [value for value in inputs if 666 in value]
            inputs.clear()
            return [*changed, *results[len(changed) :]]

    lists = Types.LIST(Types.LONG())
    rows = [[i, i + 1] for i in range(100)]
    # PyFlink's collection source does not take lists that have a type.
    source = environment.from_collection(rows).map(list, output_type=lists)
    stream = wait_batch(source, Spoiling(), TIMEOUT, 4, output_type=lists, capacity=1)
    assert sorted(list(result) for result in collect(stream)) == rows


@pytest.mark.process_mode
@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy"])
def test_cancelling_a_job_leaves_nothing_behind(
    wait_batch: Any,
    environment: StreamExecutionEnvironment,
    open_source: Any,
    signal: Any,
    tmp_path: Path,
    busy: bool,
) -> None:
    class Waiting(Reporting):
        async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
            self.tell("invoked")
            try:
                if busy:
                    await asyncio.Event().wait()
            finally:
                self.tell("left")
            return inputs

    temporary = tmp_path / "io"
    temporary.mkdir()
    configuration = Configuration()
    configuration.set_string("io.tmp.dirs", str(temporary))
    environment.configure(configuration)
    processes = worker_processes()
    sockets = sockets_in(Path(tempfile.gettempdir()))

    open_source.write("a")
    stream = wait_batch(
        open_source.stream(),
        Waiting(signal.path),
        Time.hours(1),
        1,
        output_type=Types.STRING(),
    )
    stream.print()
    job = environment.execute_async()
    worker = psutil.Process(int(signal.wait().split()[1]))
    assert worker.is_running()
    assert signal.wait() == "invoked"
    if not busy:
        assert signal.wait() == "left"

    job.cancel().result()
    # The wait for the job to reach its end.
    with pytest.raises(Py4JJavaError, match="cancel"):
        job.get_job_execution_result().result()

    if busy:
        # The coroutine's finally block has run.
        assert signal.wait() == "left"
    assert signal.wait().startswith("close")
    worker.wait(20)
    _gone, alive = psutil.wait_procs(
        [psutil.Process(pid) for pid in worker_processes() - processes], timeout=20
    )
    assert alive == []
    left = sockets_in(Path(tempfile.gettempdir())) - sockets
    deadline = time.monotonic() + 20
    while left and time.monotonic() < deadline:
        # A worker of a test that runs beside this one removes its own when it has connected.
        time.sleep(0.05)
        left &= sockets_in(Path(tempfile.gettempdir()))
    assert left == set()


def run_job(directory: Path, body: str) -> "subprocess.CompletedProcess[str]":
    """Runs a job as a program of its own, as a user would, with a misleading PATH."""
    programs = directory / "bin"
    programs.mkdir()
    for name in ("python", "python3"):
        program = programs / name
        program.write_text("#!/bin/sh\nexit 42\n")
        program.chmod(0o755)
    job = directory / "job.py"
    job.write_text(textwrap.dedent(body))
    inherited = {
        name: value
        for name, value in os.environ.items()
        # PyFlink sets it in a client that runs another job's Python functions itself.
        if name != "PYFLINK_GATEWAY_DISABLED"
    }
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, str(job)],
        env={**inherited, "PATH": path},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_a_job_runs_without_an_activated_environment(execution_mode: str, tmp_path: Path) -> None:
    done = run_job(
        tmp_path,
        f"""
        from pyflink.common import Configuration, Time, Types
        from pyflink.datastream import StreamExecutionEnvironment
        from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

        class Interpreter(AsyncBatchFunction):
            async def async_invoke_batch(self, inputs):
                import pyflink
                return [pyflink.__file__] * len(inputs)

        if __name__ == "__main__":
            conf = Configuration()
            conf.set_string("python.execution-mode", "{execution_mode}")
            env = StreamExecutionEnvironment.get_execution_environment(conf)
            ds = AsyncDataStream.ordered_wait_batch(
                env.from_collection([1], Types.INT()), Interpreter(), Time.seconds(30), 8,
                output_type=Types.STRING())
            with ds.execute_and_collect() as results:
                print("interpreter", list(results))
        """,
    )
    assert f"interpreter ['{pyflink.__file__}']" in done.stdout, done.stderr


@pytest.mark.process_mode
def test_the_users_interpreter_is_used(
    wait_batch: Any,
    environment: StreamExecutionEnvironment,
    numbers: Any,
    collect: Any,
    tmp_path: Path,
) -> None:
    chosen = tmp_path / "chosen-python"
    chosen.write_text(f'#!/bin/sh\nCHOSEN=1 exec "{sys.executable}" "$@"\n')
    chosen.chmod(0o755)
    environment.set_python_executable(str(chosen))

    class Chosen(AsyncBatchFunction[int, str]):
        async def async_invoke_batch(self, inputs: list[int]) -> list[str]:
            return [os.environ.get("CHOSEN", "another one")] * len(inputs)

    stream = wait_batch(numbers(2), Chosen(), TIMEOUT, 2, output_type=Types.STRING())
    assert collect(stream) == ["1", "1"]


def test_a_missing_interpreter_is_named(
    wait_batch: Any, environment: StreamExecutionEnvironment, numbers: Any, failure_of: Any
) -> None:
    environment.set_python_executable("/nowhere/python")
    stream = wait_batch(numbers(2), Reporting("unused"), TIMEOUT, 2, output_type=Types.LONG())
    assert "/nowhere/python" in failure_of(stream)


def test_files_and_archives_of_the_job_reach_the_worker(
    wait_batch: Any,
    environment: StreamExecutionEnvironment,
    numbers: Any,
    collect: Any,
    tmp_path: Path,
) -> None:
    module = tmp_path / "shipped_with_the_job.py"
    module.write_text("ANSWER = 42\n")
    environment.add_python_file(str(module))
    contents = tmp_path / "archive"
    contents.mkdir()
    (contents / "model.txt").write_text("weights")
    import shutil

    archive = shutil.make_archive(str(tmp_path / "model"), "zip", contents)
    environment.add_python_archive(archive, "model")

    class Shipped(AsyncBatchFunction[int, str]):
        def open(self, runtime_context: Any) -> None:
            import shipped_with_the_job  # type: ignore[import-not-found]

            self.answer = f"{shipped_with_the_job.ANSWER} {Path('model/model.txt').read_text()}"

        async def async_invoke_batch(self, inputs: list[int]) -> list[str]:
            return [self.answer] * len(inputs)

    stream = wait_batch(numbers(2), Shipped(), TIMEOUT, 2, output_type=Types.STRING())
    assert collect(stream) == ["42 weights"] * 2


def test_a_type_that_java_does_not_support_is_refused_while_the_job_is_built(
    wait_batch: Any, environment: StreamExecutionEnvironment
) -> None:
    from pyflink.common.typeinfo import ExternalTypeInfo
    from pyflink_async_batch import UnsupportedTypeError

    rows = environment.from_collection([1], Types.INT())
    unsupported = ExternalTypeInfo(Types.ROW([Types.INT()]))
    with pytest.raises(UnsupportedTypeError, match=r"(?i)external|raw"):
        wait_batch(rows, Reporting("unused"), TIMEOUT, 2, output_type=unsupported)
