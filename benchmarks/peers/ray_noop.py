"""Rows per second of Ray Data's ``map_batches`` with an async actor that does nothing.

``ray.data.range`` to one actor, whose ``__call__`` is an async generator, to a consumer that takes
references to the blocks and looks at nothing but their row counts. Ray runs on all cores of this
machine, without dashboard and telemetry, on loopback. The rate is that of the same window as our
jobs', from the block that comes last before it to the one that comes last in it.

``python ray_noop.py SETTINGS BATCH_SIZE WARM_UP_SECONDS WINDOW_SECONDS``; SETTINGS is one of:

``defaults`` leaves everything but batch size and number of actors to Ray. ``tuned`` has what was
fastest of what we tried on two cores: batches as pyarrow tables, where the default is a dictionary
of numpy arrays, and blocks of a million rows, which is also what Ray makes of this many rows by
itself; it makes smaller ones of fewer rows, and is slower with them. The number of concurrent calls
(``max_concurrency`` 1, 2, 4, 64), the CPU share of the actor, ``zero_copy_batch``, more tasks in
flight at the actor, pandas frames and a function that is not async made it no faster.
"""

import json
import os
import sys
import tempfile
import time
from typing import Any, AsyncIterator, List, Tuple

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_DATA_DISABLE_PROGRESS_BARS"] = "1"

import ray

_ROWS = 200_000_000
_ROWS_OF_A_BLOCK = 1_000_000

Arrival = Tuple[float, int]


class Noop:
    async def __call__(self, batch: Any) -> AsyncIterator[Any]:
        yield batch


def arrivals(settings: str, batch_size: int, seconds: float, directory: str) -> List[Arrival]:
    """When each block came in so many seconds, and how many rows had come by then."""
    ray.init(
        _temp_dir=directory,
        include_dashboard=False,
        _node_ip_address="127.0.0.1",
        logging_level="ERROR",
        log_to_driver=False,
    )
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    if settings == "tuned":
        rows = ray.data.range(_ROWS, override_num_blocks=_ROWS // _ROWS_OF_A_BLOCK)
        batch_format = "pyarrow"
    else:
        rows = ray.data.range(_ROWS)
        batch_format = "default"
    results = rows.map_batches(
        Noop,
        batch_size=batch_size,
        batch_format=batch_format,
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    try:
        return _arrivals(results, seconds)
    finally:
        ray.shutdown()


def _arrivals(results: Any, seconds: float) -> List[Arrival]:
    seen: List[Arrival] = []
    rows = 0
    for bundle in results.iter_internal_ref_bundles():
        rows += bundle.num_rows()
        seen.append((time.monotonic(), rows))
        if seen[-1][0] > seen[0][0] + seconds:
            return seen
    raise RuntimeError(f"rows={_ROWS} passed within seconds={seconds}; raise them")


def steady_rate(seen: List[Arrival], warm_up: float) -> float:
    """Rows per second of what came after the warm-up; the last arrival is the first too late."""
    opened = [arrival for arrival in seen if arrival[0] <= seen[0][0] + warm_up][-1]
    closed = seen[-2]
    return (closed[1] - opened[1]) / (closed[0] - opened[0])


def main() -> None:
    settings, batch_size, warm_up, window = sys.argv[1:]
    seconds = float(warm_up) + float(window)
    with tempfile.TemporaryDirectory(prefix="ray") as directory:
        seen = arrivals(settings, int(batch_size), seconds, directory)
    print("MEASURED " + json.dumps(steady_rate(seen, float(warm_up))), flush=True)


if __name__ == "__main__":
    main()
