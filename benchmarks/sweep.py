"""How rates change with the size of batches and rows, and what a batch and a row cost by that.

Writes ``sweep.json`` beside this file. A no-op from a Java source to a Java sink, as in ``noop.py``
and ``large.py``, with 16 batches in flight, or as many as weigh 320 MB together:

* LONG rows in batches of 1 to 4,096, as lists at parallelism 1 and 2 and as columns at 1.
* Arrays of 8 B to 10 MB in batches of 16, in columns, with a LONG a row as the answer.

All jobs run one after another in one virtual machine that has been warmed up by a first one, with
short windows: this shows shapes, not records. To the rates a cost a batch plus a cost a row (for
arrays: a row plus a byte) is fitted by least squares of relative errors.
"""

import json
import sys
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import numpy as np
import results_table
from contest import Judgement, report
from local_job import LocalJob, discarding_sink
from pyflink.common import Time, Types
from pyflink.datastream import DataStream

BATCH_SIZES = [1, 4, 16, 64, 256, 1024, 4096]
ROW_BYTES = [8, 1_000, 10_000, 100_000, 1_000_000, 10_000_000]
_ROWS_OF_LARGE = 16
_IN_FLIGHT = 16
_BYTES_IN_FLIGHT = 320_000_000
_FRAME_BYTES = 2**29
_WARM_UP_SECONDS = 4.0
_WINDOW_SECONDS = 2.0

Curve = Dict[str, Any]


def as_lists() -> Any:
    from pyflink_async_batch import AsyncBatchFunction

    class Noop(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            return inputs

    return Noop()


def as_columns() -> Any:
    from pyflink_async_batch import ArrowAsyncBatchFunction

    class Noop(ArrowAsyncBatchFunction):
        async def async_invoke_batch(self, inputs: Any) -> Any:
            return inputs

    return Noop()


def number_of_each() -> Any:
    import pyarrow as pa
    from pyflink_async_batch import ArrowAsyncBatchFunction

    class Number(ArrowAsyncBatchFunction):
        async def async_invoke_batch(self, inputs: Any) -> Any:
            return pa.array(np.arange(len(inputs)))

    return Number()


def _seconds_of_longs(function: Callable[[], Any], batch_size: int, parallelism: int) -> float:
    """What a batch takes: the time in which one more leaves all subtasks together."""
    job = LocalJob(parallelism=parallelism)
    return batch_size / _rate(job, job.numbers(), function(), batch_size, _IN_FLIGHT)


def _seconds_of_an_array(row_bytes: int) -> float:
    job = LocalJob({"pipeline.object-reuse": "true"})
    in_flight = max(2, min(_IN_FLIGHT, _BYTES_IN_FLIGHT // (row_bytes * _ROWS_OF_LARGE)))
    return 1 / _rate(job, job.same_array(row_bytes), number_of_each(), _ROWS_OF_LARGE, in_flight)


def _rate(job: LocalJob, rows: DataStream, function: Any, batch_size: int, capacity: int) -> float:
    from pyflink_async_batch import AsyncDataStream

    AsyncDataStream.unordered_wait_batch(
        rows,
        function,
        timeout=Time.seconds(60),
        batch_size=batch_size,
        batch_timeout=Time.seconds(1),
        capacity=capacity,
        output_type=Types.LONG(),
        max_batch_bytes=_FRAME_BYTES,
        max_frame_bytes=_FRAME_BYTES,
    ).sink_to(discarding_sink())
    return job.start("sweep").rate(_WARM_UP_SECONDS, _WINDOW_SECONDS)


def _curve(
    name: str, sizes: Sequence[int], seconds_of: Callable[[int], float], costs: Tuple[str, str]
) -> Curve:
    """Seconds at all sizes, and the costs that explain them.

    :param seconds_of: what something of a size takes.
    :param costs: what the fixed cost is a cost of, and what the growing one.
    """
    seconds = {}
    for size in sizes:
        seconds[size] = seconds_of(size)
        print(f"{name}, {size:,}: {seconds[size] * 1e6:,.1f} us", file=sys.stderr, flush=True)
    constant, each, worst = fitted(seconds)
    return {
        "seconds": seconds,
        "constant": {"us": constant * 1e6, "of": costs[0]},
        "each": {"ns": each * 1e9, "of": costs[1]},
        "worst": worst,
    }


def fitted(seconds: Mapping[int, float]) -> Tuple[float, float, float]:
    """Explains seconds by a constant and a cost of each unit of size.

    :return: the constant, the cost of a unit, and the largest relative error of the two.
    """
    sizes = np.array(list(seconds), float)
    taken = np.array(list(seconds.values()))
    # Divided by what was measured, so that small and large sizes count alike.
    terms = np.stack([1 / taken, sizes / taken], axis=1)
    (constant, each), *_ = np.linalg.lstsq(terms, np.ones(len(sizes)), rcond=None)
    worst = np.max(np.abs(terms @ (constant, each) - 1))
    return float(constant), float(each), float(worst)


def main() -> None:
    _seconds_of_longs(as_lists, 256, 1)  # compiles what all jobs have in common
    batches = {
        "LONG, parallelism 1": lambda size: _seconds_of_longs(as_lists, size, 1),
        "LONG, parallelism 2": lambda size: _seconds_of_longs(as_lists, size, 2),
        "LONG, columns": lambda size: _seconds_of_longs(as_columns, size, 1),
    }
    curves = {
        name: _curve(name, BATCH_SIZES, seconds_of, ("batch", "row"))
        for name, seconds_of in batches.items()
    }
    curves["arrays"] = _curve("arrays", ROW_BYTES, _seconds_of_an_array, ("row", "byte"))
    results_table.SWEEP_JSON.write_text(json.dumps(curves, indent=2) + "\n", encoding="utf-8")
    report(Judgement([]))


if __name__ == "__main__":
    main()
