"""What the function asks: a backend in a process of its own, with bad moods on request.

- ``POST /infer`` with ``{"rows": n}``: 200 after some milliseconds; what else depends on the mood.
- ``POST /mood`` with ``{"mood": ...}``: from now on.
- ``GET /met``: how many calls each mood has met.
"""

import asyncio
import collections
import random
from typing import Any, Counter, Optional

import json_server

WELL, SLOW, REFUSING, AWAY, SILENT, SMALL = (
    "well",
    "slow",
    "refusing",
    "away",
    "silent",
    "small",
)

_LEAST_SECONDS, _MOST_SECONDS = 0.002, 0.02
_SLOWNESS = 3
_RETRY_AFTER_MILLIS = 200
_MOST_ROWS_WHEN_SMALL = 16


class Backend:
    """Lives on the event loop of its process."""

    def __init__(self) -> None:
        self._mood = WELL
        self._met: Counter[str] = collections.Counter()
        self._changed = asyncio.Event()

    async def answer(self, method: str, path: str, content: Any) -> Optional[json_server.Reply]:
        if (method, path) == ("POST", "/infer"):
            return await self._infer(content["rows"])
        if (method, path) == ("POST", "/mood"):
            self._mood = content["mood"]
            self._changed.set()
            self._changed = asyncio.Event()
        elif (method, path) != ("GET", "/met"):
            return 404, {}, {}
        return 200, {}, dict(self._met)

    async def _infer(self, rows: int) -> Optional[json_server.Reply]:
        mood = self._mood
        if mood == SMALL and rows <= _MOST_ROWS_WHEN_SMALL:
            mood = WELL
        if mood != WELL:
            self._met[mood] += 1
        if mood == SILENT:
            await self._changed.wait()
            return None
        if mood == AWAY:
            return None
        if mood == REFUSING:
            return 429, {"Retry-After-Ms": str(_RETRY_AFTER_MILLIS)}, {}
        if mood == SMALL:
            return 413, {}, {}
        seconds = random.uniform(_LEAST_SECONDS, _MOST_SECONDS)
        await asyncio.sleep(seconds * (_SLOWNESS if mood == SLOW else 1))
        return 200, {}, {"rows": rows}


if __name__ == "__main__":
    json_server.run(lambda: Backend().answer)
