"""Workers that die or hang while a job goes on, and those that are not replaced."""

import asyncio
import ctypes
import os
import resource
import signal as signals
import threading
from typing import Any, Callable

import pytest
from pyflink.common import Configuration, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import (
    AsyncBatchFunction,
    AsyncDataStream,
    WorkerRestart,
    dead_letters_tag,
)

# Python in the JVM cannot be restarted, and a shared worker's death is that of several subtasks.
pytestmark = pytest.mark.process_mode

TIMEOUT = Time.seconds(60)
AT_ONCE = WorkerRestart(initial_backoff=Time.milliseconds(50), max_backoff=Time.milliseconds(200))
# Rows that a part of the job may have in flight; a death costs no more than calling for them again.
BATCH, CAPACITY = 16, 4
ROWS = 4_000


def die(how: str) -> None:
    if how == "kill":
        os.kill(os.getpid(), signals.SIGKILL)
    elif how == "exit":
        os._exit(3)
    elif how == "segfault":
        ctypes.string_at(0)
    elif how == "stop":
        os.kill(os.getpid(), signals.SIGSTOP)
        # Another thread may take the signal, and this one go on for a moment.
        threading.Event().wait()
    elif how == "block":
        threading.Event().wait()
    elif how == "keep the lock":
        # Unlike other foreign calls those of a PyDLL keep the interpreter's lock.
        ctypes.PyDLL(None).sleep(3_600)
    elif how == "memory":
        take_memory_until_killed()
    raise AssertionError(f"survived: {how}")


def take_memory_until_killed() -> None:
    """As the kernel does it where memory is short, which is no matter for a test to bring about."""
    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + 2**27, resource.RLIM_INFINITY))
    hoard = []
    try:
        while True:
            hoard.append(bytearray(2**20))
    except MemoryError:
        os.kill(os.getpid(), signals.SIGKILL)


def happens_first(directory: str, what: Any) -> bool:
    """Whether no worker of the job has come here before this one."""
    try:
        os.close(os.open(os.path.join(directory, str(what)), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


class Mortal(AsyncBatchFunction[int, int]):
    """Dies of some rows, each once, in the middle of a batch."""

    def __init__(self, directory: str, deaths: dict[int, str]) -> None:
        self.directory = directory
        self.deaths = deaths

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        await asyncio.sleep(0.001)
        for row in inputs:
            if row in self.deaths and happens_first(self.directory, row):
                die(self.deaths[row])
        return [10 * row for row in inputs]


@pytest.fixture
def strict(environment: StreamExecutionEnvironment) -> StreamExecutionEnvironment:
    """A job that a single failure of a task ends."""
    configuration = Configuration()
    configuration.set_string("restart-strategy.type", "none")
    environment.configure(configuration)
    return environment


# Seven workers are started beside the first two.
@pytest.mark.timeout(300)
def test_every_kind_of_death_costs_only_the_worker(
    strict: StreamExecutionEnvironment,
    numbers: Callable[[int], Any],
    collect: Any,
    tmp_path: Any,
) -> None:
    # The first half goes to one subtask, the second one to the other.
    deaths = {
        100: "kill",
        700: "exit",
        1_300: "segfault",
        1_900: "memory",
        2_100: "stop",
        2_900: "block",
        3_700: "keep the lock",
    }
    strict.set_parallelism(2)
    strict.enable_checkpointing(50)
    stream = AsyncDataStream.ordered_wait_batch(
        numbers(ROWS),
        Mortal(str(tmp_path), deaths),
        TIMEOUT,
        BATCH,
        capacity=CAPACITY,
        output_type=Types.LONG(),
        worker_restart=AT_ONCE,
        # A worker that a busy machine keeps from its turn is no death to be counted.
        stall_timeout=Time.seconds(3),
    )
    results = collect(stream)
    assert sorted(int(path.name) for path in tmp_path.iterdir()) == sorted(deaths)
    assert sorted(results) == [10 * row for row in range(ROWS)]
    for first, end in ((0, ROWS // 2), (ROWS // 2, ROWS)):
        part = [result for result in results if 10 * first <= result < 10 * end]
        assert part == sorted(part)


class Replaced(AsyncBatchFunction[int, int]):
    """
    One subtask's worker dies; the next one does not become ready before the other subtask has
    had all of its rows.
    """

    def __init__(self, directory: str, rows_of_one: int) -> None:
        self.all_had = os.path.join(directory, "all")
        self.directory = directory
        self.missing = rows_of_one

    def open(self, runtime_context: Any) -> None:
        self.is_first = runtime_context.get_index_of_this_subtask() == 0
        if self.is_first and not happens_first(self.directory, "started"):
            while not os.path.exists(self.all_had):
                threading.Event().wait(0.01)

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        if self.is_first and happens_first(self.directory, "died"):
            die("kill")
        self.missing -= len(inputs)
        if not self.is_first and self.missing == 0:
            happens_first(self.directory, "all")
        return inputs


def test_the_death_of_a_worker_stalls_only_its_subtask(
    strict: StreamExecutionEnvironment, numbers: Any, collect: Any, tmp_path: Any
) -> None:
    strict.set_parallelism(2)
    # What waits for the one subtask fits into a buffer, and holds nothing back from the other.
    stream = AsyncDataStream.unordered_wait_batch(
        numbers(ROWS).set_parallelism(1).rebalance(),
        Replaced(str(tmp_path), ROWS // 2),
        TIMEOUT,
        BATCH,
        capacity=CAPACITY,
        output_type=Types.LONG(),
        worker_restart=AT_ONCE,
    )
    assert sorted(collect(stream)) == list(range(ROWS))
    assert (tmp_path / "died").exists()


class DiesOnce(AsyncBatchFunction[int, int]):
    """Writes down who opens it. The first worker of the first subtask dies of it."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    def open(self, runtime_context: Any) -> None:
        index = runtime_context.get_index_of_this_subtask()
        attempt = runtime_context.get_attempt_number()
        with open(os.path.join(self.directory, f"{index}-{attempt}"), "x"):
            pass
        if index == attempt == 0:
            die("kill")

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        return inputs


def test_a_death_that_fails_a_task_restarts_its_region_alone(
    environment: StreamExecutionEnvironment, numbers: Any, tmp_path: Any
) -> None:
    configuration = Configuration()
    configuration.set_string("restart-strategy.type", "fixed-delay")
    configuration.set_string("restart-strategy.fixed-delay.attempts", "3")
    configuration.set_string("restart-strategy.fixed-delay.delay", "10 ms")
    environment.configure(configuration)
    environment.set_parallelism(2)
    # No exchange joins what one subtask does to what the other does.
    AsyncDataStream.unordered_wait_batch(
        numbers(ROWS), DiesOnce(str(tmp_path)), TIMEOUT, BATCH, output_type=Types.LONG()
    ).print()
    environment.execute()
    assert sorted(os.listdir(tmp_path)) == ["0-0", "0-1", "1-0"]


class Poisoned(AsyncBatchFunction[int, int]):
    """Dies whenever it sees some row."""

    def __init__(self, row: int) -> None:
        self.row = row

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        if self.row in inputs:
            die("exit")
        return inputs


def test_a_row_that_ends_workers_is_found(numbers: Any, failure_of: Any) -> None:
    stream = AsyncDataStream.ordered_wait_batch(
        numbers(8),
        Poisoned(6),
        TIMEOUT,
        4,
        output_type=Types.LONG(),
        worker_restart=WorkerRestart(initial_backoff=Time.milliseconds(50), suspect_after=1),
    )
    text = failure_of(stream)
    assert "Could not complete the batch of 1 row" in text
    assert "The Python worker of" in text
    assert "exit status 3" in text


def test_a_row_that_ends_workers_is_a_dead_letter(strict: Any, numbers: Any, collect: Any) -> None:
    results = AsyncDataStream.ordered_wait_batch(
        numbers(8),
        Poisoned(6),
        TIMEOUT,
        4,
        output_type=Types.LONG(),
        worker_restart=WorkerRestart(initial_backoff=Time.milliseconds(50), suspect_after=1),
        on_failure="dead_letter",
    )
    letters = results.get_side_output(dead_letters_tag(Types.LONG()))
    told = results.map(str, output_type=Types.STRING()).union(
        letters.map(
            lambda letter: f"{letter.input}: {letter.error_kind}", output_type=Types.STRING()
        )
    )
    assert sorted(collect(told)) == ["0", "1", "2", "3", "4", "5", "6: WORKER_LOST", "7"]


def test_more_deaths_than_allowed_fail_the_job_with_their_history(
    numbers: Any, failure_of: Any
) -> None:
    stream = AsyncDataStream.ordered_wait_batch(
        numbers(8),
        Poisoned(6),
        TIMEOUT,
        4,
        output_type=Types.LONG(),
        worker_restart=WorkerRestart(max_restarts=1, initial_backoff=Time.milliseconds(50)),
    )
    text = failure_of(stream)
    assert "A worker died more than 1 time within 600000 ms" in text
    assert text.count("ms ago: The Python worker of") >= 2
    assert "exit status 3" in text


def test_what_blocks_the_event_loop_is_named_where_no_worker_is_restarted(
    numbers: Any, failure_of: Any, tmp_path: Any
) -> None:
    stream = AsyncDataStream.ordered_wait_batch(
        numbers(8),
        Mortal(str(tmp_path), {3: "block"}),
        TIMEOUT,
        4,
        output_type=Types.LONG(),
        stall_timeout=Time.seconds(1),
    )
    text = failure_of(stream)
    assert "its event loop has been blocked" in text
    assert "more than 1000 ms (stall_timeout)" in text
    assert "has blocked the event loop for" in text
    assert "in async_invoke_batch" in text
    assert "in die" in text
