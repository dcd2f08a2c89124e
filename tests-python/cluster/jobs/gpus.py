"""
Says which GPUs its workers have. Arguments: how many GPUs a subtask needs, how many subtasks, how
many batches there are, 'endless' for a job that says nothing, and optionally how many seconds a
worker may take to start.
"""

import asyncio
import json
import os
import sys
from typing import List

from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.datastream import RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.datastream.slot_sharing_group import SlotSharingGroup
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream, GpuResources


class Report(AsyncBatchFunction):
    def open(self, runtime_context: RuntimeContext) -> None:
        # The one that the test ships.
        import torch

        names = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "PYFLINK_ASYNC_BATCH_GPUS")
        self._report = json.dumps(
            {
                "subtask": runtime_context.get_index_of_this_subtask(),
                "caps": torch.cuda.CAPS,
                **{name: os.environ[name] for name in names},
                "left": [name for name in os.environ if name.startswith("_ASYNC_BATCH")],
            }
        )

    async def async_invoke_batch(self, inputs: List[int]) -> List[str]:
        await asyncio.sleep(0.01)
        return [self._report] * len(inputs)


def main() -> None:
    gpus, subtasks = float(sys.argv[1]), int(sys.argv[2])
    endless = sys.argv[3] == "endless"
    batches = 10**12 if endless else int(sys.argv[3])
    open_seconds = int(sys.argv[4]) if len(sys.argv) > 4 else 60
    env = StreamExecutionEnvironment.get_execution_environment()
    # Without this, Flink takes a part of the GPUs for each slot of the operators before ours.
    env.register_slot_sharing_group(
        SlotSharingGroup.builder("default").set_cpu_cores(0.1).set_task_heap_memory_mb(16).build()
    )
    env.set_parallelism(subtasks)
    numbers = env.from_source(
        NumberSequenceSource(1, batches), WatermarkStrategy.no_watermarks(), "numbers", Types.LONG()
    )
    reports = AsyncDataStream.unordered_wait_batch(
        numbers,
        Report(),
        timeout=Time.seconds(60),
        batch_size=1,
        capacity=1,
        output_type=Types.STRING(),
        open_timeout=Time.seconds(open_seconds),
        resources=GpuResources(gpus, task_heap_memory="16m"),
    )
    if endless:
        reports.print()
        env.execute("endless")
        return
    with reports.execute_and_collect("gpus") as results:
        for report in sorted(set(results)):
            print("report:", report)


if __name__ == "__main__":
    main()
