"""Kills Python workers while a checkpointed job runs, then checks that every row came out once.

Numbers go from Flink's sequence source through a coroutine of random latency to an exactly-once
file sink. A worker chosen at random is killed every few seconds, and the job restarts from its last
checkpoint. At the end the job is drained with a savepoint, and the committed files must hold the
numbers without gap or repetition. Processes that outlive the job count as a failure too.

``python benchmarks/soak.py --seconds 600 --seed 3`` repeats the same choices; the exit status tells
whether anything was lost, repeated or left behind.
"""

import argparse
import asyncio
import pathlib
import random
import re
import sys
import tempfile
import time
import urllib.error
from typing import Any, Callable, List, Tuple

import numpy as np
import psutil
from local_job import LocalJob, RunningJob
from pyflink.common import Encoder, Time, Types, WatermarkStrategy
from pyflink.datastream.connectors.file_system import FileSink
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

NUMBERS_OF_A_SUBTASK = 2**40
_CHECKPOINT_INTERVAL_MS = 1000
_RESTART_DELAY = "200 ms"
_WORKER = "pyflink_async_batch._worker"
_MOST_SECONDS_BETWEEN_KILLS = 8.0
_GIVE_UP_SECONDS = 60.0
_COMMITTED = re.compile(r"(^|/)part-[^/]*$")


def run(seconds: float, seed: int, ordered: bool, parallelism: int) -> bool:
    """Runs the job, prints what happened and returns whether all was well."""
    choices = random.Random(seed)
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        running = _start(root, ordered, parallelism)
        began = time.monotonic()
        until(lambda: running.sink_rows() > 0, "no row reached the sink")
        killed, most_memory = _kill_workers(running, began + seconds, choices)
        until(lambda: is_running(running), "the job did not recover")
        restarts, checkpoints = running.restarts(), running.completed_checkpoints()
        running.drain(root / "savepoint")
        elapsed = time.monotonic() - began
        left = wait_for_no_workers()
        rows, lost, repeated = judge(committed(root / "numbers"), parallelism)
    lines: List[Tuple[str, str]] = [
        ("seed", f"{seed}"),
        ("ordering", "ordered" if ordered else "unordered"),
        ("parallelism", f"{parallelism}"),
        ("seconds", f"{elapsed:.0f}"),
        ("rows committed", f"{rows:,}"),
        ("workers killed", f"{killed}"),
        ("job restarts", f"{restarts}"),
        ("checkpoints completed", f"{checkpoints}"),
        ("peak memory of all processes", f"{most_memory / 2**20:,.0f} MiB"),
        ("rows lost", f"{lost}"),
        ("rows repeated", f"{repeated}"),
        ("workers left behind", f"{left}"),
    ]
    print("\n".join(f"| {name:<30} | {figure:>12} |" for name, figure in lines))
    return rows > 0 and killed > 0 and lost == repeated == left == 0


def _start(root: pathlib.Path, ordered: bool, parallelism: int) -> RunningJob:
    from pyflink_async_batch import AsyncBatchFunction

    class Jitter(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            await asyncio.sleep(random.uniform(0.001, 0.05))
            return inputs

    return start("soak", Jitter(), root, ordered, parallelism, _CHECKPOINT_INTERVAL_MS)


def start(
    name: str,
    function: Any,
    root: pathlib.Path,
    ordered: bool,
    parallelism: int,
    checkpoint_interval_ms: int,
    **options: Any,
) -> RunningJob:
    """Starts a job that sends numbers through the function, to exactly-once files in ``root``."""
    from pyflink_async_batch import AsyncDataStream

    job = LocalJob(
        {
            "execution.checkpointing.dir": f"file://{root / 'checkpoints'}",
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": str(2**31 - 1),
            "restart-strategy.fixed-delay.delay": _RESTART_DELAY,
        }
    )
    job.environment.set_parallelism(parallelism)
    job.environment.enable_checkpointing(checkpoint_interval_ms)
    numbers = job.environment.from_source(
        NumberSequenceSource(0, parallelism * NUMBERS_OF_A_SUBTASK - 1),
        WatermarkStrategy.no_watermarks(),
        "numbers",
        Types.LONG(),
    )
    wait = AsyncDataStream.ordered_wait_batch if ordered else AsyncDataStream.unordered_wait_batch
    wait(
        numbers,
        function,
        timeout=Time.seconds(30),
        batch_size=64,
        batch_timeout=Time.milliseconds(100),
        capacity=8,
        output_type=Types.LONG(),
        **options,
    ).sink_to(
        FileSink.for_row_format(str(root / "numbers"), Encoder.simple_string_encoder()).build()
    )
    return job.start(name)


def _kill_workers(running: RunningJob, end: float, choices: random.Random) -> Tuple[int, int]:
    """Kills until ``end``, only while the job runs; returns how many died and the peak memory."""
    killed = 0
    most_memory = 0
    while True:
        due = min(end, time.monotonic() + choices.uniform(1.0, _MOST_SECONDS_BETWEEN_KILLS))
        while time.monotonic() < due:
            most_memory = max(most_memory, _memory())
            time.sleep(0.5)
        if time.monotonic() >= end:
            return killed, most_memory
        until(lambda: is_running(running), "the job did not recover")
        living = sorted(workers(), key=lambda worker: worker.pid)
        if living:
            before = running.restarts()
            choices.choice(living).kill()
            killed += 1
            until(lambda seen=before: running.restarts() > seen, "a worker's death went unnoticed")


def is_running(running: RunningJob) -> bool:
    """Whether every task runs: a job that restarts is already RUNNING while its tasks deploy."""
    job = running.get()
    return job["state"] == "RUNNING" and all(
        vertex["status"] == "RUNNING" for vertex in job["vertices"]
    )


def until(condition: Callable[[], bool], complaint: str, seconds: float = _GIVE_UP_SECONDS) -> None:
    give_up = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except urllib.error.URLError:
            pass  # the cluster is still starting
        if time.monotonic() > give_up:
            raise TimeoutError(f"{complaint} in {seconds:.0f} s")
        time.sleep(0.2)


def _children() -> List[psutil.Process]:
    return psutil.Process().children(recursive=True)


def workers() -> List[psutil.Process]:
    return [child for child in _children() if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE and _WORKER in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def _memory() -> int:
    total = 0
    for child in _children():
        try:
            total += int(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return total


def wait_for_no_workers() -> int:
    give_up = time.monotonic() + 10
    while workers() and time.monotonic() < give_up:
        time.sleep(0.2)
    return len(workers())


def committed(directory: pathlib.Path) -> "np.ndarray[Tuple[int], np.dtype[np.int64]]":
    """Returns the numbers in the files that the sink committed; pending ones begin with a dot."""
    parts = [part for part in directory.rglob("*") if _COMMITTED.search(part.as_posix())]
    numbers = [np.fromstring(part.read_text(), np.int64, sep="\n") for part in parts]
    return np.concatenate(numbers) if numbers else np.empty(0, np.int64)


def judge(
    numbers: "np.ndarray[Tuple[int], np.dtype[np.int64]]", parallelism: int
) -> Tuple[int, int, int]:
    """Returns rows, lost and repeated ones.

    The source gives each subtask one piece of the sequence; what a drained subtask has sent on is
    the head of its piece, without a gap.
    """
    distinct = np.unique(numbers)
    lost = 0
    for piece in range(parallelism):
        begin = piece * NUMBERS_OF_A_SUBTASK
        bounds = np.searchsorted(distinct, [begin, begin + NUMBERS_OF_A_SUBTASK])
        head = distinct[bounds[0] : bounds[1]]
        lost += int(head[-1] - begin + 1 - len(head)) if len(head) else 0
    return len(numbers), lost, len(numbers) - len(distinct)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ordered", action="store_true")
    parser.add_argument("--parallelism", type=int, default=2)
    arguments = parser.parse_args()
    well = run(arguments.seconds, arguments.seed, arguments.ordered, arguments.parallelism)
    sys.exit(0 if well else 1)
