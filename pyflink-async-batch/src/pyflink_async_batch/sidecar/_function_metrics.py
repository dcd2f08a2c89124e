"""The metrics of the user's function in a server: its runtime context's metric group."""

import logging
import threading
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, Optional, Tuple

from pyflink.metrics import Counter, Distribution, Meter, MetricGroup

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sample:
    """
    The value of a metric at one moment.

    :param path: the names of its groups and its own.
    :param is_total: whether it only ever grows.
    """

    path: Tuple[str, ...]
    value: float
    is_total: bool


class FunctionMetricGroup(MetricGroup):  # type: ignore[misc]
    """
    A group with its subgroups. Metrics are made and changed by the function's thread; samples may
    be taken by any.
    """

    def __init__(self, path: Tuple[str, ...] = (), root: Optional["_Metrics"] = None) -> None:
        self._path = path
        self._metrics = root or _Metrics()

    def add_group(self, name: str, extra: Optional[str] = None) -> "FunctionMetricGroup":
        names = (name,) if extra is None else (name, extra)
        return FunctionMetricGroup((*self._path, *names), self._metrics)

    def counter(self, name: str) -> Counter:
        return self._metrics.put((*self._path, name), _Count())

    def gauge(self, name: str, obj: Callable[[], int]) -> None:
        self._metrics.put((*self._path, name), _Gauge(obj))

    def meter(self, name: str, time_span_in_seconds: int = 60) -> Meter:
        # A rate is made of the count by whoever reads it, over whatever time span.
        return self._metrics.put((*self._path, name), _Events())

    def distribution(self, name: str) -> Distribution:
        return self._metrics.put((*self._path, name), _Values())

    def samples(self) -> Iterator[Sample]:
        """The present values of all metrics, without those whose gauges fail."""
        return self._metrics.samples()


class _Metrics:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_path: Dict[Tuple[str, ...], Any] = {}

    def put(self, path: Tuple[str, ...], metric: Any) -> Any:
        with self._lock:
            # As in Flink, the first metric of a name stays.
            return self._by_path.setdefault(path, metric)

    def samples(self) -> Iterator[Sample]:
        with self._lock:
            metrics = list(self._by_path.items())
        for path, metric in metrics:
            try:
                values = metric.values()
            except Exception:
                _LOGGER.exception("Reading the gauge %r failed", path[-1])
                continue
            for suffix, value, is_total in values:
                yield Sample((*path[:-1], path[-1] + suffix), value, is_total)


class _Count(Counter):  # type: ignore[misc]
    def __init__(self) -> None:
        self._count = 0

    def inc(self, n: int = 1) -> None:
        self._count += n

    def dec(self, n: int = 1) -> None:
        self._count -= n

    def get_count(self) -> int:
        return self._count

    def values(self) -> Any:
        # No total: it can be decremented.
        return [("", self._count, False)]


class _Events(Meter):  # type: ignore[misc]
    def __init__(self) -> None:
        self._count = 0

    def mark_event(self, value: int = 1) -> None:
        self._count += value

    def get_count(self) -> int:
        return self._count

    def values(self) -> Any:
        return [("", self._count, True)]


class _Values(Distribution):  # type: ignore[misc]
    def __init__(self) -> None:
        self._count = 0
        self._sum = 0
        self._min: Optional[int] = None
        self._max: Optional[int] = None

    def update(self, value: int) -> None:
        self._count += 1
        self._sum += value
        self._min = value if self._min is None else min(self._min, value)
        self._max = value if self._max is None else max(self._max, value)

    def values(self) -> Any:
        values = [("_count", self._count, True), ("_sum", self._sum, False)]
        if self._min is not None and self._max is not None:
            values += [("_min", self._min, False), ("_max", self._max, False)]
        return values


class _Gauge:
    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read

    def values(self) -> Any:
        return [("", float(self._read()), False)]
