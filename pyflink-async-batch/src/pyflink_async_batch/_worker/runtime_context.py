"""What the user's ``open(runtime_context)`` gets: PyFlink's own context and metric groups."""

import logging
from typing import Any, Optional

from pyflink.datastream import RuntimeContext
from pyflink.fn_execution.datastream.process.runtime_context import StreamingRuntimeContext
from pyflink.fn_execution.metrics.process.metric_impl import GenericMetricGroup

_LOGGER = logging.getLogger(__name__)


def create(description: Any, metric_group: Optional[GenericMetricGroup]) -> RuntimeContext:
    """
    The runtime context of this subtask.

    :param description: the ``UserDefinedAsyncBatchFunction`` that the operator sent.
    :param metric_group: the group that the user's metrics go to, or None if metrics are off.
    """
    context = description.runtime_context
    return StreamingRuntimeContext(
        task_name=context.task_name,
        task_name_with_subtasks=context.task_name_with_subtasks,
        number_of_parallel_subtasks=context.number_of_parallel_subtasks,
        max_number_of_parallel_subtasks=context.max_number_of_parallel_subtasks,
        index_of_this_subtask=context.index_of_this_subtask,
        attempt_number=context.attempt_number,
        job_parameters=dict(context.job_parameters),
        metric_group=metric_group,
        keyed_state_backend=None,
        in_batch_execution_mode=False,
    )


def read_gauges(group: GenericMetricGroup) -> None:
    """Hands the present value of every gauge of the group and its subgroups to Beam."""
    for name, gauge in group._flink_gauge.items():
        try:
            group._beam_gauge[name].set(gauge())
        except Exception:
            _LOGGER.exception("Reading the gauge %r failed", name)
    for subgroup in group._sub_groups:
        read_gauges(subgroup)
