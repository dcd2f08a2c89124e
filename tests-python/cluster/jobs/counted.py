"""Writes each of a thousand numbers to files once, half of them when a file says that they may go.

Arguments: the directory of the results, and that file.
"""

import asyncio
import sys
from pathlib import Path
from typing import List

from pyflink.common import Encoder, Time, Types, WatermarkStrategy
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSink
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

ROWS = 1000


class WaitsForTheFile(AsyncBatchFunction):
    def __init__(self, gate: str) -> None:
        self._gate = gate

    def _may_go(self, inputs: List[int]) -> bool:
        # Of each of four subtasks' numbers the first half may go at once.
        return all(n % (ROWS // 4) < ROWS // 8 for n in inputs) or Path(self._gate).exists()

    async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
        while not self._may_go(inputs):  # noqa: ASYNC110 another process's doing
            await asyncio.sleep(0.02)
        return inputs


def main(results: str, gate: str) -> None:
    env = StreamExecutionEnvironment.get_execution_environment()
    numbers = env.from_source(
        NumberSequenceSource(0, ROWS - 1), WatermarkStrategy.no_watermarks(), "n", Types.LONG()
    )
    done = AsyncDataStream.unordered_wait_batch(
        numbers,
        WaitsForTheFile(gate),
        timeout=Time.minutes(5),
        batch_size=10,
        capacity=4,
        output_type=Types.LONG(),
    )
    lines = done.map(str, Types.STRING())
    sink = FileSink.for_row_format(results, Encoder.simple_string_encoder()).build()
    lines.sink_to(sink)
    env.execute("counted")


if __name__ == "__main__":
    main(*sys.argv[1:])
