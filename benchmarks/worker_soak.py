"""Has Python workers die in every way while a checkpointed job goes on, and counts its rows.

Numbers go from Flink's sequence source through a coroutine of random latency to an exactly-once
file sink. Workers chosen at random are killed, stopped, made to crash, to leave, to hang and to
take more memory than there is; each is replaced within the running job. Now and then the function
raises instead, which fails its task: the job then restarts from its last checkpoint. At the end the
job is drained with a savepoint, and the committed files must hold the numbers without gap or
repetition, in their order if they are to be ordered, and the job must have restarted exactly as
often as a task was failed.

``python benchmarks/worker_soak.py --deaths 100 --seed 3`` repeats the same choices; the exit status
tells whether anything was lost, repeated, out of order or left behind.
"""

import argparse
import asyncio
import collections
import os
import pathlib
import random
import signal
import sys
import tempfile
import threading
import time
from typing import Counter, Dict, List, Tuple

import numpy as np
import psutil
from local_job import RunningJob
from pyflink.common import Time
from soak import (
    committed,
    is_running,
    judge,
    start,
    until,
    wait_for_no_workers,
    workers,
)

_CHECKPOINT_INTERVAL_MS = 250
_STALL_SECONDS = 2.0
_MOST_SECONDS_BETWEEN_DEATHS = 2.0
# Of a worker, on a machine that is busy with others starting.
_MOST_SECONDS_TO_START = 300.0

# What is done to a worker from outside, and what its function does when it is told to.
_SIGNALS: Dict[str, signal.Signals] = {
    "killed": signal.SIGKILL,
    "stopped": signal.SIGSTOP,
    "segmentation fault": signal.SIGSEGV,
}
_COMMANDS = ("exit", "hang", "out of memory")
_RAISE = "raise"


def run(deaths: int, task_failures: int, seed: int, ordered: bool, parallelism: int) -> bool:
    """Runs the job, prints what happened and returns whether all was well."""
    choices = random.Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        (root / "commands").mkdir()
        running = _start(root, ordered, parallelism)
        began = time.monotonic()
        until(lambda: running.sink_rows() > 0, "no row reached the sink")
        ways = _end_workers(running, root, deaths, task_failures, choices)
        until(lambda: is_running(running) and len(workers()) == parallelism, "no recovery")
        restarts, checkpoints = running.restarts(), running.completed_checkpoints()
        running.drain(root / "savepoint")
        elapsed = time.monotonic() - began
        left = wait_for_no_workers()
        numbers = committed(root / "numbers")
        rows, lost, repeated = judge(numbers, parallelism)
        displaced = _displaced(root / "numbers") if ordered else 0
    lines: List[Tuple[str, str]] = [
        ("seed", f"{seed}"),
        ("ordering", "ordered" if ordered else "unordered"),
        ("parallelism", f"{parallelism}"),
        ("seconds", f"{elapsed:.0f}"),
        ("rows committed", f"{rows:,}"),
        *((f"workers that died: {way}", f"{count}") for way, count in sorted(ways.items())),
        ("worker deaths", f"{sum(ways.values())}"),
        ("tasks failed on purpose", f"{task_failures}"),
        ("job restarts", f"{restarts}"),
        ("checkpoints completed", f"{checkpoints}"),
        ("rows lost", f"{lost}"),
        ("rows repeated", f"{repeated}"),
        ("rows out of order", f"{displaced}" if ordered else "not asked for"),
        ("workers left behind", f"{left}"),
    ]
    print("\n".join(f"| {name:<40} | {figure:>14} |" for name, figure in lines))
    wrong = lost + repeated + displaced + left + abs(restarts - task_failures)
    return rows > 0 and sum(ways.values()) == deaths and wrong == 0


def _start(root: pathlib.Path, ordered: bool, parallelism: int) -> RunningJob:
    from pyflink_async_batch import AsyncBatchFunction, WorkerRestart

    commands, at_work = str(root / "commands"), str(root / "at work")
    os.mkdir(at_work)

    class Mortal(AsyncBatchFunction):
        def __init__(self) -> None:
            self.has_begun = False

        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            self.begin()
            await asyncio.sleep(random.uniform(0.001, 0.05))
            self.obey()
            return inputs

        def begin(self) -> None:
            if not self.has_begun:
                self.has_begun = True
                open(os.path.join(at_work, str(os.getpid())), "w").close()

        def obey(self) -> None:
            command = os.path.join(commands, str(os.getpid()))
            if not os.path.exists(command):
                return
            with open(command) as told:
                how = told.read()
            os.unlink(command)
            if how == "raise":
                raise ValueError("told to fail the task")
            if how == "hang":
                threading.Event().wait()
            if how == "out of memory":
                self.take_all_memory()
            os._exit(3)

        def take_all_memory(self) -> None:
            import resource

            with open("/proc/self/statm") as statm:
                mapped = int(statm.read().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (mapped + 2**27, resource.RLIM_INFINITY))
            hoard = []
            try:
                while True:
                    hoard.append(bytearray(2**20))
            except MemoryError:
                # What the kernel does where there is no such limit.
                os.kill(os.getpid(), signal.SIGKILL)

    return start(
        "worker soak",
        Mortal(),
        root,
        ordered,
        parallelism,
        _CHECKPOINT_INTERVAL_MS,
        worker_restart=WorkerRestart(
            max_restarts=1_000_000,
            initial_backoff=Time.milliseconds(100),
            max_backoff=Time.seconds(1),
        ),
        stall_timeout=Time.seconds(_STALL_SECONDS),
    )


def _end_workers(
    running: RunningJob,
    root: pathlib.Path,
    deaths: int,
    task_failures: int,
    choices: random.Random,
) -> Counter[str]:
    """Ends workers, and fails tasks between; returns how many died in which way."""
    ways: Counter[str] = collections.Counter()
    fail_after = set(choices.sample(range(1, deaths), task_failures)) if task_failures else set()
    for death in range(deaths):
        if death in fail_after:
            _fail_a_task(running, root, choices)
        time.sleep(choices.uniform(0.0, _MOST_SECONDS_BETWEEN_DEATHS))
        way = choices.choice(sorted(_SIGNALS) + list(_COMMANDS))
        worker = _one_at_work(root, choices)
        if way in _SIGNALS:
            worker.send_signal(_SIGNALS[way])
        else:
            _tell(root, worker, way)
        until(lambda gone=worker: not _is_alive(gone), f"a worker outlived: {way}")
        ways[way] += 1
    return ways


def _fail_a_task(running: RunningJob, root: pathlib.Path, choices: random.Random) -> None:
    until(lambda: is_running(running), "the job does not run")
    before = running.restarts()
    _tell(root, _one_at_work(root, choices), _RAISE)
    until(lambda: running.restarts() > before, "a task's failure went unnoticed")
    until(lambda: is_running(running), "the job did not recover")


def _tell(root: pathlib.Path, worker: psutil.Process, how: str) -> None:
    commands = root / "commands"
    hidden = commands / f".{worker.pid}"
    hidden.write_text(how)
    hidden.rename(commands / str(worker.pid))


def _one_at_work(root: pathlib.Path, choices: random.Random) -> psutil.Process:
    """Waits for a worker that has begun a batch: one that starts is not looked after yet."""

    def at_work() -> List[psutil.Process]:
        return sorted(
            (worker for worker in workers() if (root / "at work" / str(worker.pid)).exists()),
            key=lambda worker: worker.pid,
        )

    until(lambda: bool(at_work()), "no worker has begun a batch", _MOST_SECONDS_TO_START)
    return choices.choice(at_work())


def _is_alive(worker: psutil.Process) -> bool:
    try:
        return worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _displaced(directory: pathlib.Path) -> int:
    """Returns how many rows stand behind a larger one of their subtask, file by file."""
    displaced = 0
    for part in directory.rglob("*part-*"):
        if part.name.startswith("."):
            continue
        numbers = np.fromstring(part.read_text(), np.int64, sep="\n")
        displaced += int((np.diff(numbers) < 0).sum())
    return displaced


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--deaths", type=int, default=100)
    parser.add_argument("--task-failures", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--unordered", action="store_true")
    parser.add_argument("--parallelism", type=int, default=2)
    given = parser.parse_args()
    well = run(
        given.deaths, given.task_failures, given.seed, not given.unordered, given.parallelism
    )
    sys.exit(0 if well else 1)
