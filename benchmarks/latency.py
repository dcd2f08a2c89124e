"""How much longer a batch takes than the coroutine that computes it.

A Java source lets 32 rows go every 10 ms and stamps each with the monotonic clock; the rows are a
batch for a coroutine that does nothing; the next operator, in Java too, reads the clock when the
last row of the batch reaches it. All of them are one chain: a row is never in a network buffer, and
between two batches the task thread is idle, as it is behind a real source. What is measured is thus
the time from the last row's coming to the last result's leaving. What a direct call of the
coroutine takes, measured in the same run, is subtracted.

Every round records 1,000 batches after 500 that are not recorded, and after 8,000 before those that
come every 2 ms: at 100 batches per second the JVM would take minutes to compile what a job that
runs for days has compiled, and until then a batch takes three times as long. Figures are medians
of the rounds' percentiles. The clock's readings are whole microseconds.
"""

import asyncio
import time
from typing import Dict, List, Sequence, Tuple

from contest import Medians, NotAvailableError, Result, run_benchmark
from local_job import LocalJob, discarding_sink
from pyflink.common import Time, Types
from pyflink.datastream import DataStream

_ROWS = 32
_INTERVAL_MS = 10
_QUICK_BATCHES = 8000
_QUICK_INTERVAL_MS = 2
_SETTLING_BATCHES = 500
_WARM_UP_BATCHES = _QUICK_BATCHES + _SETTLING_BATCHES
_BATCHES = 1000
_DIRECT_CALLS = 10_000
_MICROS_OF_A_MILLI = 1000.0

Ages = Dict[int, int]


async def noop(inputs: List[int]) -> List[int]:
    return inputs


def process() -> Dict[str, float]:
    return _percentiles("process")


def thread() -> Dict[str, float]:
    return _percentiles("thread")


def _percentiles(execution_mode: str) -> Dict[str, float]:
    ages = _ages(execution_mode)
    return {f"p{share}": _percentile(ages, share) for share in (50, 99)}


def _ages(execution_mode: str) -> Ages:
    """How many batches took how many microseconds."""
    from pyflink_async_batch import (
        AsyncBatchFunction,
        AsyncDataStream,
        UnsupportedEnvironmentError,
    )

    class Noop(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            return await noop(inputs)

    job = LocalJob({"python.execution-mode": execution_mode})
    parts = job.stream_parts()
    stamps = job.generated(
        parts.NanoStamps(),
        parts.Bursts(_ROWS, _QUICK_BATCHES, _QUICK_INTERVAL_MS, _INTERVAL_MS),
        Types.LONG(),
        count=_ROWS * (_WARM_UP_BATCHES + _BATCHES),
    )
    try:
        results = AsyncDataStream.unordered_wait_batch(
            stamps,
            Noop(),
            timeout=Time.seconds(60),
            batch_size=_ROWS,
            output_type=Types.LONG(),
        )
    except UnsupportedEnvironmentError as refused:
        raise NotAvailableError(str(refused)) from refused
    recorder = parts.AgeRecorder(_ROWS, _WARM_UP_BATCHES)
    recorded = DataStream(results._j_data_stream.map(recorder))
    recorded.sink_to(discarding_sink())
    running = job.start("latency")
    return dict(running.accumulator(parts.AgeRecorder.ACCUMULATOR))


def _percentile(ages: Ages, share: float) -> float:
    """The least age, in milliseconds, that ``share`` percent of the batches do not exceed."""
    wanted = sum(ages.values()) * share / 100
    seen = 0
    for micros in sorted(ages):
        seen += ages[micros]
        if seen >= wanted:
            return micros / _MICROS_OF_A_MILLI
    raise RuntimeError("no batch was recorded")


def direct() -> float:
    """Milliseconds that a call of the coroutine takes by itself."""
    return asyncio.run(_milliseconds_of_a_call())


async def _milliseconds_of_a_call() -> float:
    inputs = list(range(_ROWS))
    opened = time.perf_counter()
    for _ in range(_DIRECT_CALLS):
        await noop(inputs)
    return (time.perf_counter() - opened) / _DIRECT_CALLS * 1000


def judge(milliseconds: Medians) -> Sequence[Result]:
    contests: List[Tuple[str, str, float]] = [
        ("added_latency_p50_ms", "process p50", 0.5),
        ("added_latency_p99_ms", "process p99", 3.0),
        ("added_latency_thread_p50_ms", "thread p50", 0.2),
    ]
    results = []
    for name, figure, target in contests:
        if figure in milliseconds:
            mode = figure.split()[0]
            shown = {f"{mode} {share}": milliseconds[f"{mode} {share}"] for share in ("p50", "p99")}
            shown["direct"] = milliseconds["direct"]
            added = milliseconds[figure] - milliseconds["direct"]
            results.append(Result(name, added, "ms", "at most", target, shown))
    return results


if __name__ == "__main__":
    run_benchmark({"process": process, "thread": thread, "direct": direct}, judge)
