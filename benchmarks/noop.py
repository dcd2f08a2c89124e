"""What a row costs when the function does nothing: ours, PyFlink's, and Ray Data's.

LONG to LONG through a no-op, from a Java source of numbers to a Java sink that drops every row,
parallelism 1, process mode, so the only Python on the way is the function. Batches have 256 rows.
``batched`` hands them over as lists, ``column`` as Arrow arrays. PyFlink's ``unordered_wait`` and
``map`` take rows one by one. The figures are how many times more rows per second ours move.

Ray Data runs in an environment of its own (``benchmarks/peers``); see ``peers/ray_noop.py`` for how
it is configured. All rates are of the same window after the first row, as ``RunningJob.rate`` says.
"""

import pathlib
from typing import Any, Callable, Dict, List, Sequence

from contest import Medians, NotAvailableError, Result, measured_by, run_benchmark
from local_job import WARM_UP_SECONDS, WINDOW_SECONDS, LocalJob, discarding_sink
from pyflink.common import Time, Types
from pyflink.datastream import AsyncDataStream as StockAsyncDataStream
from pyflink.datastream import AsyncFunction, DataStream

_BATCH = 256
_HERE = pathlib.Path(__file__).resolve().parent
PEERS_PYTHON = _HERE.parent / "target" / "peers-venv" / "bin" / "python"


class StockNoop(AsyncFunction):  # type: ignore[misc]
    async def async_invoke(self, value: int) -> List[int]:
        return [value]


def batched() -> float:
    from pyflink_async_batch import AsyncBatchFunction

    class BatchNoop(AsyncBatchFunction):
        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            return inputs

    return _rate(_wait_batch(BatchNoop()))


def column() -> float:
    from pyflink_async_batch import ArrowAsyncBatchFunction

    class ColumnNoop(ArrowAsyncBatchFunction):
        async def async_invoke_batch(self, inputs: Any) -> Any:
            return inputs

    return _rate(_wait_batch(ColumnNoop()))


def _wait_batch(function: Any) -> Callable[[DataStream], DataStream]:
    from pyflink_async_batch import AsyncDataStream

    return lambda rows: AsyncDataStream.unordered_wait_batch(
        rows,
        function,
        timeout=Time.seconds(60),
        batch_size=_BATCH,
        batch_timeout=Time.milliseconds(100),
        capacity=16,
        output_type=Types.LONG(),
    )


def stock() -> float:
    return _rate(
        lambda rows: StockAsyncDataStream.unordered_wait(
            rows, StockNoop(), Time.seconds(60), capacity=1000, output_type=Types.LONG()
        )
    )


def stock_map() -> float:
    return _rate(lambda rows: rows.map(lambda value: value, output_type=Types.LONG()))


def _rate(noop: Callable[[DataStream], DataStream]) -> float:
    job = LocalJob()
    noop(job.numbers()).sink_to(discarding_sink())
    return job.start("noop").rate()


def ray() -> float:
    return _ray("tuned")


def ray_defaults() -> float:
    return _ray("defaults")


def _ray(settings: str) -> float:
    if not PEERS_PYTHON.exists():
        raise NotAvailableError("the peers are not installed, see make bench-peers")
    script = str(_HERE / "peers" / "ray_noop.py")
    arguments = [settings, str(_BATCH), str(WARM_UP_SECONDS), str(WINDOW_SECONDS)]
    return float(measured_by([script, *arguments], str(PEERS_PYTHON)))


def judge(rate: Medians) -> Sequence[Result]:
    contests = [
        ("noop_vs_stock", "batched", "stock", "times PyFlink's unordered_wait, rows/s", 300.0),
        ("noop_vs_map", "batched", "map", "times PyFlink's map, rows/s", 20.0),
        ("noop_vs_ray", "batched", "ray", "times Ray Data, rows/s", 1.5),
        ("noop_column_vs_ray", "column", "ray", "times Ray Data, rows/s", 3.0),
    ]
    results = []
    for name, ours, peer, unit, target in contests:
        if ours in rate and peer in rate:
            shown: Dict[str, float] = {ours: rate[ours], peer: rate[peer]}
            if peer == "ray":
                shown["ray with its defaults"] = rate["ray with its defaults"]
            ratio = rate[ours] / rate[peer]
            results.append(Result(name, ratio, unit, "at least", target, shown))
    return results


if __name__ == "__main__":
    run_benchmark(
        {
            "batched": batched,
            "column": column,
            "map": stock_map,
            "stock": stock,
            "ray": ray,
            "ray with its defaults": ray_defaults,
        },
        judge,
        once=["ray with its defaults"],
    )
