"""A model server with a knee, as ``benchmarks/overload`` has it in virtual time: here a process.

Writes down every call:

- ``POST /infer`` with ``{"key": ..., "rows": n}``: 200 when the model has computed so many rows,
  429 with ``Retry-After`` where it takes no more, 503 where it ran out of memory half-way; while it
  is away the connection just ends.
- ``POST /condition`` with ``{"slowness": 3.0, "away": false}``: from now on; answers with the time.
- ``GET /calls``: ``[key, arrived, ended, rows, status]`` of every call, 0 for one that was lost, in
  seconds of one clock.
"""

import asyncio
import functools
import math
import random
import time
from typing import Any, List, Optional, Set, Tuple

import json_server

# Half the times of the simulation, so that a run needs half as long: 16 batches of 64 rows at a
# time, 0.16 s each; room for 24, trouble from 36, no more than 48.
BATCH_ROWS = 64
EXECUTORS = 16
_CONSTANT_SECONDS = 0.030
_SECONDS_PER_ROW = 0.002
_KNEE_ROWS = 24 * BATCH_ROWS
_FAILURE_ROWS = 36 * BATCH_ROWS
_REFUSAL_ROWS = 48 * BATCH_ROWS
_FAILURE_PROBABILITY = 0.1
_JITTER = 0.1
_RETRY_AFTER_SECONDS = 1

_LOST = 0


class Model:
    """Computes batches, first come first served. Lives on the event loop."""

    def __init__(self, seed: int = 1) -> None:
        self.slowness = 1.0
        self.away = False
        self.calls: List[Tuple[Any, float, float, int, int]] = []
        self._random = random.Random(seed)
        self._executors = asyncio.Semaphore(EXECUTORS)
        self._rows = 0
        self._accepted: Set[asyncio.Task[int]] = set()

    def set(self, slowness: Optional[float] = None, away: Optional[bool] = None) -> None:
        if slowness is not None:
            self.slowness = slowness
        if away is not None:
            self.away = away
        if away:
            for task in self._accepted:
                task.cancel()

    async def infer(self, key: Any, rows: int) -> int:
        """Returns the status of the answer."""
        arrived = time.monotonic()
        status = await self._infer(rows)
        self.calls.append((key, arrived, time.monotonic(), rows, status))
        return status

    async def _infer(self, rows: int) -> int:
        if self.away:
            return _LOST
        if self._rows + rows > _REFUSAL_ROWS:
            return 429
        task = asyncio.get_running_loop().create_task(self._compute(rows))
        self._accepted.add(task)
        self._rows += rows
        try:
            return await task
        except asyncio.CancelledError:
            return _LOST
        finally:
            self._rows -= rows
            self._accepted.discard(task)

    async def _compute(self, rows: int) -> int:
        async with self._executors:
            fails = self._rows > _FAILURE_ROWS and self._random.random() < _FAILURE_PROBABILITY
            excess = max(1.0, self._rows / _KNEE_ROWS)
            seconds = (
                (_CONSTANT_SECONDS + _SECONDS_PER_ROW * rows)
                * math.exp(_JITTER * self._random.gauss(0, 1))
                * self.slowness
                * excess**2
            )
            await asyncio.sleep(seconds * (0.5 if fails else 1))
            return 503 if fails else 200


async def _answer(model: Model, method: str, path: str, body: Any) -> Optional[json_server.Reply]:
    """Returns None where the connection is to end instead."""
    if (method, path) == ("POST", "/infer"):
        status = await model.infer(body["key"], body["rows"])
        if status == _LOST:
            return None
        more = {"Retry-After": str(_RETRY_AFTER_SECONDS)} if status == 429 else {}
        return status, more, {"rows": body["rows"]}
    if (method, path) == ("POST", "/condition"):
        model.set(**body)
        return 200, {}, {"now": time.monotonic()}
    if (method, path) == ("GET", "/calls"):
        return 200, {}, {"now": time.monotonic(), "calls": model.calls}
    return 404, {}, {}


if __name__ == "__main__":
    json_server.run(lambda: functools.partial(_answer, Model()))
