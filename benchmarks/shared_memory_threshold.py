"""From which size on a batch is cheaper in shared memory than in the socket.

16 arrays of bytes a batch, in columns, a LONG a row as the answer; the same job with every batch in
the socket and with every batch in shared memory, over the size of a batch. The default of
``shared_memory_threshold`` is the smallest size from which on shared memory wins.

``python benchmarks/shared_memory_threshold.py`` prints batches per second and their ratio.
"""

import json
import subprocess
import sys
from typing import Any, List

import numpy as np
from local_job import LocalJob, discarding_sink
from pyflink.common import Time, Types

_ROWS = 16
_KIB = 1024
_BATCH_KIB = [16, 32, 64, 128, 256, 1024]
_NEVER = 2**62
_WARM_UP_SECONDS = 6.0
_WINDOW_SECONDS = 3.0


def batches_per_second(batch_kib: int, threshold: int) -> float:
    import pyarrow as pa
    from pyflink_async_batch import ArrowAsyncBatchFunction, AsyncDataStream

    class Measure(ArrowAsyncBatchFunction):
        async def async_invoke_batch(self, inputs: Any) -> Any:
            return pa.array(np.arange(len(inputs)))

    job = LocalJob({"pipeline.object-reuse": "true"})
    AsyncDataStream.unordered_wait_batch(
        job.same_array(batch_kib * _KIB // _ROWS),
        Measure(),
        timeout=Time.seconds(60),
        batch_size=_ROWS,
        capacity=8,
        output_type=Types.LONG(),
        shared_memory_threshold=threshold,
    ).sink_to(discarding_sink())
    return job.start("threshold").rate(_WARM_UP_SECONDS, _WINDOW_SECONDS) / _ROWS


def _measured(batch_kib: int, threshold: int) -> float:
    """In a process of its own, since a client has one JVM."""
    command = [sys.executable, "-W", "ignore", __file__, str(batch_kib), str(threshold)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def main(arguments: List[str]) -> None:
    if arguments:
        print(json.dumps(batches_per_second(int(arguments[0]), int(arguments[1]))))
        return
    print("| KiB a batch | socket, batches/s | shared, batches/s | ratio |\n|---|---|---|---|")
    for batch_kib in _BATCH_KIB:
        socket, shared = _measured(batch_kib, _NEVER), _measured(batch_kib, 1)
        print(
            f"| {batch_kib} | {socket:,.0f} | {shared:,.0f} | {shared / socket:.2f} |", flush=True
        )


if __name__ == "__main__":
    main(sys.argv[1:])
