"""What large rows cost: images in, a number or the images out, beside copying them in memory.

Batches have 64 rows of 150,000 bytes, 9.6 MB, and go through ``ArrowAsyncBatchFunction``, which
sees them as one Arrow array. The source hands out one and the same Java array again and again, with
object reuse on, so that making rows costs nothing. What the operator copies to keep a row is part
of the figure. Rates are in bytes of input payload. The function reads none of them: a model's own
reading would come on top, with any transport.

* ``process`` and ``thread`` answer with a LONG a row, which is what the figures are made of;
  ``inline`` is ``process`` with everything sent through the socket and nothing through shared
  memory.
* ``process echo`` and ``thread echo`` answer with the images, so that as many bytes go back.
* ``memcpy`` is one thread that copies buffers of 9.6 MB, 40 of them in turn, with numpy.
"""

import time
from typing import Any, Sequence

import numpy as np
from contest import Medians, NotAvailableError, Result, run_benchmark
from local_job import LocalJob, discarding_sink
from pyflink.common import Time, Types

_ROWS = 64
_ROW_BYTES = 150_000
_BATCH_BYTES = _ROWS * _ROW_BYTES
_CAPACITY = 4
_NEVER = 2**62
_COPIED_BUFFERS = 40
_COPY_SECONDS = 2.0
_MEGA = 1e6


def process() -> float:
    return _megabytes_per_second("process", echo=False)


def inline() -> float:
    return _megabytes_per_second("process", echo=False, shared_memory_threshold=_NEVER)


def thread() -> float:
    return _megabytes_per_second("thread", echo=False)


def process_echo() -> float:
    return _megabytes_per_second("process", echo=True)


def thread_echo() -> float:
    return _megabytes_per_second("thread", echo=True)


def _megabytes_per_second(execution_mode: str, echo: bool, **options: Any) -> float:
    import pyarrow as pa
    from pyflink_async_batch import (
        ArrowAsyncBatchFunction,
        AsyncDataStream,
        UnsupportedEnvironmentError,
    )

    class Measure(ArrowAsyncBatchFunction):
        async def async_invoke_batch(self, inputs: Any) -> Any:
            return pa.array(np.arange(len(inputs)))

    class Echo(ArrowAsyncBatchFunction):
        async def async_invoke_batch(self, inputs: Any) -> Any:
            return inputs

    job = LocalJob({"pipeline.object-reuse": "true", "python.execution-mode": execution_mode})
    images = job.same_array(_ROW_BYTES)
    try:
        results = AsyncDataStream.unordered_wait_batch(
            images,
            Echo() if echo else Measure(),
            timeout=Time.seconds(60),
            batch_size=_ROWS,
            batch_timeout=Time.seconds(1),
            capacity=_CAPACITY,
            output_type=Types.PRIMITIVE_ARRAY(Types.BYTE()) if echo else Types.LONG(),
            **options,
        )
    except UnsupportedEnvironmentError as refused:
        raise NotAvailableError(str(refused)) from refused
    results.sink_to(discarding_sink())
    return job.start("large").rate() * _ROW_BYTES / _MEGA


def memcpy() -> float:
    buffers = [np.full(_BATCH_BYTES, index, np.uint8) for index in range(_COPIED_BUFFERS)]
    copies = 0
    opened = time.perf_counter()
    while time.perf_counter() < opened + _COPY_SECONDS:
        for index in range(0, _COPIED_BUFFERS, 2):
            np.copyto(buffers[index], buffers[index + 1])
        copies += _COPIED_BUFFERS // 2
    return copies * _BATCH_BYTES / (time.perf_counter() - opened) / _MEGA


def judge(rate: Medians) -> Sequence[Result]:
    contests = [
        ("large_vs_inline", "process", "inline", "times inline MB/s", 5.0),
        ("large_vs_memcpy", "process", "memcpy", "of memcpy's MB/s", 0.15),
        ("large_thread_vs_memcpy", "thread", "memcpy", "of memcpy's MB/s", 0.25),
    ]
    results = []
    for name, ours, peer, unit, target in contests:
        if ours in rate and peer in rate:
            shown = {key: rate[key] for key in (ours, f"{ours} echo", peer) if key in rate}
            ratio = rate[ours] / rate[peer]
            results.append(Result(name, ratio, unit, "at least", target, shown))
    return results


if __name__ == "__main__":
    run_benchmark(
        {
            "process": process,
            "inline": inline,
            "thread": thread,
            "memcpy": memcpy,
            "process echo": process_echo,
            "thread echo": thread_echo,
        },
        judge,
        once=["process echo", "thread echo"],
    )
