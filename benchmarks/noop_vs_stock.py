"""What a row costs when the function does nothing: ours in batches of 256, PyFlink's one by one.

``NumberSequenceSource`` (Java) to a no-op coroutine, LONG to LONG, to a sink that drops every row
(Java), parallelism 1, so the only Python on the way is the function. The figure is how many times
more rows per second the batched call moves.
"""

from typing import Any, List, Mapping

from contest import Result, run_benchmark
from local_job import LocalJob, discarding_sink
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.datastream import AsyncDataStream as StockAsyncDataStream
from pyflink.datastream import AsyncFunction, DataStream
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

_BATCHED_ROWS = 12_000_000
_STOCK_ROWS = 30_000
_TARGET = 100.0


class StockNoop(AsyncFunction):  # type: ignore[misc]
    async def async_invoke(self, value: int) -> List[int]:
        return [value]


def batched() -> float:
    from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

    class BatchNoop(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            return inputs

    def noop(rows: DataStream) -> DataStream:
        return AsyncDataStream.unordered_wait_batch(
            rows,
            BatchNoop(),
            timeout=Time.seconds(60),
            batch_size=256,
            batch_timeout=Time.milliseconds(100),
            capacity=16,
            output_type=Types.LONG(),
        )

    return _rate(_BATCHED_ROWS, noop)


def stock() -> float:
    def noop(rows: DataStream) -> DataStream:
        return StockAsyncDataStream.unordered_wait(
            rows, StockNoop(), Time.seconds(60), capacity=1000, output_type=Types.LONG()
        )

    return _rate(_STOCK_ROWS, noop)


def _rate(rows: int, noop: Any) -> float:
    job = LocalJob()
    numbers = job.environment.from_source(
        NumberSequenceSource(0, rows - 1),
        WatermarkStrategy.no_watermarks(),
        "numbers",
        Types.LONG(),
    )
    noop(numbers).sink_to(discarding_sink())
    return job.start("noop_vs_stock").steady_rate(rows)


def judge(rate: Mapping[str, float]) -> Result:
    ratio = rate["batched"] / rate["stock"]
    return Result("noop_vs_stock", ratio, "times stock rows/s", _TARGET, ratio >= _TARGET, rate)


if __name__ == "__main__":
    run_benchmark({"batched": batched, "stock": stock}, judge)
