"""Runs millions of rows and many large batches and shows that no process grows.

The resident size of the JVM and of the Python worker is read twice a second. What they take while
the job warms up, a quarter of its rows, does not count; from there to the end neither may grow by
more than 5%. The JVM's heap is fixed and touched beforehand, so that what is left to move is memory
outside of it: Arrow's buffers, shared memory, and what the garbage collector does not see.

* ``rows``: LONGs in batches of 256, through the socket
* ``large``: rows of 64 KB in batches of 16, through shared memory, as Arrow columns, and back

``python benchmarks/memory_soak.py --rows 50000000 --batches 100000``; the exit status tells whether
both stayed flat.
"""

import argparse
import os
import sys
import time
from typing import Any, Dict, List, NamedTuple

import psutil
from growth import growth
from local_job import LocalJob, RunningJob, discarding_sink
from pyflink.common import Time, Types
from pyflink.datastream import DataStream

_MOST_GROWTH = 0.05
_POLL_SECONDS = 0.5
_GIVE_UP_SECONDS = 1800.0
_WORKER = "pyflink_async_batch._worker"
_HEAP_MIB = 768

_ROWS_OF_A_BATCH = 256
_LARGE_ROWS_OF_A_BATCH = 16
_LARGE_ROW_BYTES = 64 * 1024

# Read when PyFlink starts the JVM.
os.environ["JAVA_TOOL_OPTIONS"] = f"-Xms{_HEAP_MIB}m -Xmx{_HEAP_MIB}m -XX:+AlwaysPreTouch"


class Sample(NamedTuple):
    """How far the job was, and the resident bytes of each process."""

    rows: int
    bytes: Dict[str, int]


def many_rows(count: int) -> List[Sample]:
    from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

    class Echo(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            return inputs

    job = LocalJob()
    results = AsyncDataStream.unordered_wait_batch(
        job.numbers(),
        Echo(),
        timeout=Time.seconds(60),
        batch_size=_ROWS_OF_A_BATCH,
        capacity=16,
        output_type=Types.LONG(),
    )
    return _sampled(job, results, count)


def large_batches(count: int) -> List[Sample]:
    from pyflink_async_batch import ArrowAsyncBatchFunction, AsyncDataStream

    class Echo(ArrowAsyncBatchFunction):
        async def async_invoke_batch(self, inputs: Any) -> Any:
            return inputs

    job = LocalJob({"pipeline.object-reuse": "true"})
    results = AsyncDataStream.unordered_wait_batch(
        job.same_array(_LARGE_ROW_BYTES),
        Echo(),
        timeout=Time.seconds(60),
        batch_size=_LARGE_ROWS_OF_A_BATCH,
        capacity=8,
        output_type=Types.PRIMITIVE_ARRAY(Types.BYTE()),
    )
    return _sampled(job, results, count * _LARGE_ROWS_OF_A_BATCH)


def _sampled(job: LocalJob, results: DataStream, rows: int) -> List[Sample]:
    results.sink_to(discarding_sink())
    running = job.start("memory_soak")
    give_up = time.monotonic() + _GIVE_UP_SECONDS
    samples: List[Sample] = []
    try:
        while not samples or samples[-1].rows < rows:
            if time.monotonic() > give_up:
                raise TimeoutError(f"{samples[-1].rows} of {rows} rows in {_GIVE_UP_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)
            samples.extend(_sample(running))
    finally:
        running.cancel()
    return samples


def _sample(running: RunningJob) -> List[Sample]:
    """Returns one sample, or none while the job starts."""
    rows = running.sink_rows()
    sizes = _resident_bytes()
    return [Sample(rows, sizes)] if rows > 0 and len(sizes) == 2 else []


def _resident_bytes() -> Dict[str, int]:
    sizes = {}
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline())
            if _WORKER in command:
                sizes["worker"] = int(child.memory_info().rss)
            elif "PythonGatewayServer" in command:
                sizes["JVM"] = int(child.memory_info().rss)
        except psutil.NoSuchProcess:
            continue
    return sizes


def report(name: str, samples: List[Sample]) -> bool:
    """Prints how each process grew and returns whether both stayed flat."""
    rows = samples[-1].rows
    flat = True
    for process in ("JVM", "worker"):
        grown = growth((sample.rows, sample.bytes[process]) for sample in samples)
        flat &= grown.share <= _MOST_GROWTH
        print(
            f"| {name:<6} | {rows:>12,} | {process:<6} | {grown.warm / 2**20:>7,.0f} MiB "
            f"| {grown.end / 2**20:>7,.0f} MiB | {grown.share:>+7.1%} |",
            flush=True,
        )
    return flat


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--batches", type=int, default=100_000)
    arguments = parser.parse_args()
    print("| job    |         rows | of     | after warm-up |    at the end |  growth |")
    flat = report("rows", many_rows(arguments.rows))
    flat &= report("large", large_batches(arguments.batches))
    return 0 if flat else 1


if __name__ == "__main__":
    sys.exit(main())
