"""Metrics of the user's function inside the JVM: Flink's own, called directly."""

import logging
from typing import Any, Callable, List, Optional, Tuple

from pemja import findClass
from pyflink.fn_execution.metrics.embedded.metric_impl import MetricGroupImpl

_LOGGER = logging.getLogger(__name__)

# A gauge on Java's side that keeps the last value it was given.
_LastValue = findClass("org.apache.flink.python.metric.embedded.MetricDistribution")

_Gauge = Tuple[str, Callable[[], int], Any]


class InterpreterMetrics:
    """
    The function's metric group. Lives on the event loop's thread.

    :param j_group: the operator's Java ``MetricGroup``.
    """

    def __init__(self, j_group: Any) -> None:
        self._gauges: List[_Gauge] = []
        self._group = _SampledGroup(j_group, self._gauges)

    @property
    def group(self) -> Any:
        """PyFlink's metric group."""
        return self._group

    def read_gauges(self) -> None:
        """Hands the present value of every gauge of the group and its subgroups to Java."""
        for name, read, last_value in self._gauges:
            try:
                last_value.update(int(read()))
            except Exception:
                _LOGGER.exception("Reading the gauge %r failed", name)


class _SampledGroup(MetricGroupImpl):  # type: ignore[misc]
    """PyFlink's group, but for gauges: its own have reporters' threads enter the interpreter as if
    they were the thread that runs the event loop, which must not be."""

    def __init__(self, j_group: Any, gauges: List[_Gauge]) -> None:
        super().__init__(j_group)
        self._gauges = gauges

    def add_group(self, name: str, extra: Optional[str] = None) -> "_SampledGroup":
        names = (name,) if extra is None else (name, extra)
        return _SampledGroup(self._metrics.addGroup(*names), self._gauges)

    def gauge(self, name: str, obj: Callable[[], int]) -> None:
        self._gauges.append((name, obj, self._metrics.gauge(name, _LastValue())))
