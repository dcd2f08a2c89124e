"""Keeps ten batches in flight until it is cancelled; in a shared worker if told 'shared'."""

import asyncio
import logging
import sys
from typing import List

from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.datastream import RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream, CircuitBreaker


class Slow(AsyncBatchFunction):
    def open(self, runtime_context: RuntimeContext) -> None:
        logging.warning("a warning of the function")
        print("a line that the function printed")
        metrics = runtime_context.get_metrics_group()
        self._calls = metrics.counter("calls")
        metrics.gauge("answer", lambda: 42)

    async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
        self._calls.inc()
        await asyncio.sleep(0.5)
        return inputs


def main(worker: str) -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    numbers = env.from_source(
        NumberSequenceSource(1, 10**12), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()
    )
    AsyncDataStream.unordered_wait_batch(
        numbers,
        Slow(),
        timeout=Time.seconds(60),
        batch_size=10,
        capacity=10,
        output_type=Types.LONG(),
        worker=worker,
        concurrency=10,
        circuit_breaker=CircuitBreaker(),
    ).print()
    env.execute("endless")


if __name__ == "__main__":
    main(*sys.argv[1:] or ["own"])
