"""What the user's ``open(runtime_context)`` gets: PyFlink's own context."""

from typing import Any

from pyflink.datastream import RuntimeContext
from pyflink.fn_execution.datastream.process.runtime_context import StreamingRuntimeContext


def create(description: Any, metric_group: Any) -> RuntimeContext:
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
