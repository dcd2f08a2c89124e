"""What one more subtask costs a TaskManager, and one more row in flight a checkpoint.

A job on a local mini cluster with 1, 3 and 5 subtasks, whose calls never end: everything is in
flight, and nothing is computed. The cost of a subtask is the slope of a line through the three.
Memory is that of the whole worker process in proportion to who shares its pages (PSS). A row in
flight costs a checkpoint what its state is larger with 4,000 rows than with 1,000.
"""

import asyncio
import json
import pathlib
import statistics
import sys
import tempfile
import time
from typing import Any, Callable, Dict, List

import psutil
from local_job import LocalJob, RunningJob, discarding_sink
from pyflink.common import Time
from pyflink.datastream import DataStream
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

_PARALLELISMS = (1, 3, 5)
_ROWS_IN_FLIGHT = (1_000, 4_000)
_BATCH_SIZE = 100
_GIVE_UP_SECONDS = 120.0
_WORKER = "pyflink_async_batch._worker"


class Never(AsyncBatchFunction):  # type: ignore[type-arg]
    """Keeps what it gets, after its first batch."""

    def __init__(self, reached: str) -> None:
        self._reached = reached

    async def async_invoke_batch(self, inputs: List[Any]) -> List[Any]:
        await asyncio.to_thread(pathlib.Path(self._reached).touch)
        await asyncio.sleep(3600)
        return inputs


def main() -> None:
    json.dump(measure(), sys.stdout)


def measure() -> Dict[str, float]:
    """Of one subtask, and of one row."""
    own = [_processes(parallelism, "own") for parallelism in _PARALLELISMS]
    shared = [_processes(parallelism, "shared") for parallelism in _PARALLELISMS]
    costs = {
        "worker_mib": own[-1]["worker_mib"],
        "jvm_threads": _slope(own, "jvm_threads"),
        "jvm_descriptors": _slope(own, "jvm_descriptors"),
        "shared_jvm_threads": _slope(shared, "jvm_threads"),
        "shared_jvm_descriptors": _slope(shared, "jvm_descriptors"),
        "shared_worker_mib": shared[0]["worker_mib"],
    }
    for row_bytes in (8, 1_000):
        few, many = (_state_bytes(rows, row_bytes) for rows in _ROWS_IN_FLIGHT)
        costs[f"state_bytes_of_{row_bytes}"] = (many - few) / (
            _ROWS_IN_FLIGHT[1] - _ROWS_IN_FLIGHT[0]
        )
    return costs


def _processes(parallelism: int, worker: str) -> Dict[str, float]:
    def look(running: RunningJob) -> Dict[str, float]:
        jvm, workers = _jvm(), _workers()
        expected = 1 if worker == "shared" else parallelism
        if len(workers) != expected:
            raise RuntimeError(f"{len(workers)} workers where {expected} were expected")
        return {
            "worker_mib": statistics.mean(w.memory_full_info().pss for w in workers) / 2**20,
            "jvm_threads": jvm.num_threads(),
            "jvm_descriptors": jvm.num_fds(),
        }

    return dict(_in_flight(_BATCH_SIZE, 8, look, parallelism=parallelism, worker=worker))


def _state_bytes(rows: int, row_bytes: int) -> float:
    def look(running: RunningJob) -> float:
        begun = len(running.checkpoints()) + 1  # the one that is under way may have begun earlier
        _until(lambda: len(running.checkpoints()) > begun, "no checkpoint")
        return float(running.checkpoints()[-1]["state_size"])

    return float(_in_flight(rows, row_bytes, look, checkpoint_millis=500))


def _in_flight(
    rows: int,
    row_bytes: int,
    look: Callable[[RunningJob], Any],
    parallelism: int = 1,
    worker: str = "own",
    checkpoint_millis: int = 0,
) -> Any:
    """Starts a job with so many rows in flight in each subtask, and looks at it."""
    with tempfile.TemporaryDirectory() as directory:
        reached = pathlib.Path(directory, "reached")
        job = LocalJob(
            {"execution.checkpointing.dir": f"file://{directory}/checkpoints"}, parallelism
        )
        if checkpoint_millis:
            job.environment.enable_checkpointing(checkpoint_millis)
        stream = job.numbers() if row_bytes == 8 else job.same_array(row_bytes)
        _held(stream, str(reached), rows, worker).sink_to(discarding_sink())
        running = job.start("subtask_cost")
        try:
            _until(reached.exists, "no call")
            capacity = rows // _BATCH_SIZE * parallelism
            _until(lambda: _batches_in_flight(running) == capacity, "batches are missing")
            return look(running)
        finally:
            running.cancel()


def _held(stream: DataStream, reached: str, rows: int, worker: str) -> DataStream:
    return AsyncDataStream.ordered_wait_batch(
        stream,
        Never(reached),
        timeout=Time.hours(1),
        batch_size=_BATCH_SIZE,
        capacity=rows // _BATCH_SIZE,
        worker=worker,
        output_type=stream.get_type(),
    )


def _batches_in_flight(running: RunningJob) -> int:
    total = 0.0
    for vertex in running.get()["vertices"]:
        path = f"/vertices/{vertex['id']}/subtasks/metrics"
        for metric in running.get(path):
            if metric["id"].endswith(".inflightBatches"):
                total += running.get(f"{path}?get={metric['id']}&agg=sum")[0]["sum"]
    return int(total)


def _until(condition: Callable[[], bool], complaint: str) -> None:
    give_up = time.monotonic() + _GIVE_UP_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"{complaint} in {_GIVE_UP_SECONDS:.0f} s")
        time.sleep(0.2)


def _children() -> List[psutil.Process]:
    return psutil.Process().children(recursive=True)


def _jvm() -> psutil.Process:
    return next(child for child in _children() if "java" in child.name())


def _workers() -> List[psutil.Process]:
    return [child for child in _children() if _WORKER in " ".join(child.cmdline())]


def _slope(measured: List[Dict[str, float]], figure: str) -> float:
    values = [each[figure] for each in measured]
    return float(statistics.linear_regression(_PARALLELISMS, values).slope)


if __name__ == "__main__":
    main()
