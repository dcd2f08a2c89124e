"""How close a pipeline comes to what its model can do.

The model is simulated: a batch takes 5 ms and another 50 us for every row, and four batches may be
in flight. Arithmetic then says how many rows per second are possible at most; the figure is the
share of them that arrives at the sink. Batches have 256 rows.

``asyncio alone`` is measured beside it: four coroutines in a plain event loop that do nothing but
sleep as long. What it lacks to the ideal is not the pipeline's.
"""

import asyncio
import time
from typing import List, Sequence

from contest import Medians, Result, run_benchmark
from local_job import WINDOW_SECONDS, LocalJob, discarding_sink
from pyflink.common import Time, Types

_BATCH = 256
_IN_FLIGHT = 4
_CALL_SECONDS = 0.005 + 0.00005 * _BATCH
_TARGET = 0.95


def batched() -> float:
    from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

    class SimulatedModel(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            await asyncio.sleep(0.005 + 0.00005 * len(inputs))
            return inputs

    job = LocalJob()
    AsyncDataStream.unordered_wait_batch(
        job.numbers(),
        SimulatedModel(),
        timeout=Time.seconds(60),
        batch_size=_BATCH,
        batch_timeout=Time.milliseconds(100),
        capacity=_IN_FLIGHT,
        output_type=Types.LONG(),
    ).sink_to(discarding_sink())
    return job.start("model_vs_ideal").rate()


def asyncio_alone() -> float:
    return asyncio.run(_rate_of_sleeps())


async def _rate_of_sleeps() -> float:
    opened = time.monotonic()

    async def slot(index: int) -> int:
        await asyncio.sleep(index * _CALL_SECONDS / _IN_FLIGHT)
        calls = 0
        while time.monotonic() < opened + WINDOW_SECONDS:
            await asyncio.sleep(_CALL_SECONDS)
            calls += 1
        return calls

    calls = sum(await asyncio.gather(*(slot(index) for index in range(_IN_FLIGHT))))
    return calls * _BATCH / (time.monotonic() - opened)


def ideal() -> float:
    return _IN_FLIGHT * _BATCH / _CALL_SECONDS


def judge(rate: Medians) -> Sequence[Result]:
    share = rate["batched"] / rate["ideal"]
    return [Result("model_vs_ideal", share, "of the ideal rows/s", "at least", _TARGET, rate)]


if __name__ == "__main__":
    run_benchmark({"batched": batched, "asyncio alone": asyncio_alone, "ideal": ideal}, judge)
