"""How fast counters grow."""

from collections import deque
from typing import Deque, Dict, Hashable, Optional, Tuple

from pyflink_async_batch._watch.observation import Job

_WINDOW_SECONDS = 60.0
# Of the metrics, those whose growth is shown.
_GROWING = ("totalRecordsProcessed", "inputHeldTimeMs")
# After so many times the usual pause between two changes a counter has stopped.
_PAUSES_UNTIL_STOPPED = 3


class Growth:
    """
    How fast one counter grows, though it may be read oftener than Flink renews its value: from one
    change that was seen to the last one. One owner.
    """

    def __init__(self) -> None:
        self._changes: Deque[Tuple[float, float]] = deque()
        self._since = 0.0
        self._now = 0.0
        self._last: Optional[float] = None

    def add(self, at: float, value: float) -> None:
        """:param at: seconds of a monotonic clock, never less than before."""
        if self._last is None or value < self._last:
            # The first value, or a counter that began anew.
            self._changes.clear()
            self._since = at
        elif value != self._last:
            self._changes.append((at, value))
        self._last = value
        self._now = at
        while len(self._changes) > 2 and self._changes[0][0] < at - _WINDOW_SECONDS:
            self._changes.popleft()

    def per_second(self) -> Optional[float]:
        """None until it is known: two changes were seen, or none for a minute."""
        if len(self._changes) < 2:
            quiet_since = self._changes[-1][0] if self._changes else self._since
            quiet = self._last is not None and self._now - quiet_since >= _WINDOW_SECONDS
            return 0.0 if quiet else None
        (first_at, first), (last_at, last) = self._changes[0], self._changes[-1]
        pause = (last_at - first_at) / (len(self._changes) - 1)
        if self._now - last_at > _PAUSES_UNTIL_STOPPED * pause:
            return 0.0
        return (last - first) / (last_at - first_at)


class JobGrowth:
    """The growth of operators' counters, over all subtasks. One owner."""

    def __init__(self) -> None:
        self._counters: Dict[Hashable, Growth] = {}

    def add(self, job: Job) -> None:
        """Jobs that have gone are forgotten with :meth:`keep`."""
        for operator in job.operators:
            for name in _GROWING:
                if name in operator.metrics:
                    growth = self._counters.setdefault((job.id, operator.key, name), Growth())
                    growth.add(job.at, operator.metrics[name].total)

    def keep(self, jobs: "set[str]") -> None:
        """Forgets all other jobs."""
        self._counters = {
            key: growth
            for key, growth in self._counters.items()
            if isinstance(key, tuple) and key[0] in jobs
        }

    def per_second(self, job: Job, operator_key: Tuple[str, str], name: str) -> Optional[float]:
        """None while it is not known."""
        growth = self._counters.get((job.id, operator_key, name))
        return growth.per_second() if growth is not None else None
