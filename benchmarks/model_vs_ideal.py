"""How close a pipeline comes to what its model can do.

The model is simulated: a batch takes 5 ms and another 50 us for every row, and four batches may be
in flight. Arithmetic then says how many rows per second are possible at most; the figure is the
share of them that arrives at the sink. Batches have 256 rows.
"""

import asyncio
from typing import List, Mapping

from contest import Result, run_benchmark
from local_job import LocalJob, discarding_sink
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.datastream.connectors.number_seq import NumberSequenceSource

_ROWS = 600_000
_BATCH = 256
_IN_FLIGHT = 4
_BATCH_SECONDS = 0.005
_ROW_SECONDS = 0.00005
_TARGET = 0.8


def batched() -> float:
    from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

    class SimulatedModel(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            await asyncio.sleep(_BATCH_SECONDS + _ROW_SECONDS * len(inputs))
            return inputs

    job = LocalJob()
    numbers = job.environment.from_source(
        NumberSequenceSource(0, _ROWS - 1),
        WatermarkStrategy.no_watermarks(),
        "numbers",
        Types.LONG(),
    )
    AsyncDataStream.unordered_wait_batch(
        numbers,
        SimulatedModel(),
        timeout=Time.seconds(60),
        batch_size=_BATCH,
        batch_timeout=Time.milliseconds(100),
        capacity=_IN_FLIGHT,
        output_type=Types.LONG(),
    ).sink_to(discarding_sink())
    return job.start("model_vs_ideal").steady_rate(_ROWS)


def ideal() -> float:
    return _IN_FLIGHT * _BATCH / (_BATCH_SECONDS + _ROW_SECONDS * _BATCH)


def judge(rate: Mapping[str, float]) -> Result:
    share = rate["batched"] / rate["ideal"]
    return Result("model_vs_ideal", share, "of the ideal rows/s", _TARGET, share >= _TARGET, rate)


if __name__ == "__main__":
    run_benchmark({"batched": batched, "ideal": ideal}, judge)
