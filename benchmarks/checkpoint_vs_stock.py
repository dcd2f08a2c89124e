"""How long a checkpoint takes while every call needs two seconds.

The source never runs dry, so calls are in flight at every barrier. PyFlink's per-record operator
waits for all of them before it snapshots; ours snapshots them. Both have 1,000 rows in flight,
which is PyFlink's bundle size and so its best case: with fewer it waits for several rounds of
calls. The figure is the median end-to-end duration of the checkpoints that Flink reports, ours over
PyFlink's.
"""

import asyncio
import statistics
import tempfile
import time
from typing import Any, List, Sequence

from contest import Medians, Result, run_benchmark
from local_job import LocalJob, RunningJob, discarding_sink
from pyflink.common import Time, Types
from pyflink.datastream import AsyncDataStream as StockAsyncDataStream
from pyflink.datastream import AsyncFunction, DataStream

_CALL_SECONDS = 2.0
_CHECKPOINT_INTERVAL_MS = 1000
_CHECKPOINTS = 4
_GIVE_UP_SECONDS = 90
_TARGET = 0.1


class StockCall(AsyncFunction):  # type: ignore[misc]
    async def async_invoke(self, value: int) -> List[int]:
        await asyncio.sleep(_CALL_SECONDS)
        return [value]


def batched() -> float:
    from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

    class BatchCall(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            await asyncio.sleep(_CALL_SECONDS)
            return inputs

    def call(rows: DataStream) -> DataStream:
        return AsyncDataStream.unordered_wait_batch(
            rows,
            BatchCall(),
            timeout=Time.seconds(60),
            batch_size=250,
            batch_timeout=Time.milliseconds(100),
            capacity=4,
            output_type=Types.LONG(),
        )

    return _median_milliseconds(call)


def stock() -> float:
    def call(rows: DataStream) -> DataStream:
        return StockAsyncDataStream.unordered_wait(
            rows, StockCall(), Time.seconds(60), capacity=1000, output_type=Types.LONG()
        )

    return _median_milliseconds(call)


def _median_milliseconds(call: Any) -> float:
    with tempfile.TemporaryDirectory() as directory:
        job = LocalJob({"execution.checkpointing.dir": f"file://{directory}"})
        job.environment.enable_checkpointing(_CHECKPOINT_INTERVAL_MS)
        call(job.numbers()).sink_to(discarding_sink())
        running = job.start("checkpoint_vs_stock")
        try:
            return statistics.median(_durations(running))
        finally:
            running.cancel()


def _durations(running: RunningJob) -> List[int]:
    """Waits for checkpoints that were triggered after the first results had arrived."""
    give_up = time.monotonic() + _GIVE_UP_SECONDS
    while running.sink_rows() == 0:
        _pause(give_up, "no row reached the sink")
    before = len(running.checkpoints()) + 1  # the one that is under way began earlier
    while len(running.checkpoints()) < before + _CHECKPOINTS:
        _pause(give_up, f"not {_CHECKPOINTS} checkpoints")
    return [entry["end_to_end_duration"] for entry in running.checkpoints()[before:]]


def _pause(give_up: float, complaint: str) -> None:
    if time.monotonic() > give_up:
        raise TimeoutError(f"{complaint} in {_GIVE_UP_SECONDS} s")
    time.sleep(0.2)


def judge(milliseconds: Medians) -> Sequence[Result]:
    share = milliseconds["batched"] / milliseconds["stock"]
    unit = "of stock's checkpoint duration"
    return [Result("checkpoint_vs_stock", share, unit, "at most", _TARGET, milliseconds)]


if __name__ == "__main__":
    run_benchmark({"batched": batched, "stock": stock}, judge)
