"""Metrics of the user's function in a worker process: Beam takes them to the operator."""

import logging
from typing import Any

from pyflink.fn_execution.metrics.process.metric_impl import GenericMetricGroup

_LOGGER = logging.getLogger(__name__)


class ProcessMetrics:
    """The function's metric group. Lives on the bundle's thread, which is the event loop's."""

    def __init__(self) -> None:
        self._group = GenericMetricGroup(None, None)

    @property
    def group(self) -> Any:
        """PyFlink's metric group."""
        return self._group

    def read_gauges(self) -> None:
        """Hands the present value of every gauge of the group and its subgroups to Beam."""
        _read_gauges(self._group)


def _read_gauges(group: GenericMetricGroup) -> None:
    for name, gauge in group._flink_gauge.items():
        try:
            group._beam_gauge[name].set(gauge())
        except Exception:
            _LOGGER.exception("Reading the gauge %r failed", name)
    for subgroup in group._sub_groups:
        _read_gauges(subgroup)
