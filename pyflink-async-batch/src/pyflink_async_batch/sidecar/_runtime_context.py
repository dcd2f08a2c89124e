"""What a hosted function's ``open(runtime_context)`` gets: PyFlink's own, of one subtask."""

from typing import Any, Mapping

from pyflink.datastream import RuntimeContext


def create(task_name: str, parameters: Mapping[str, str], metric_group: Any) -> RuntimeContext:
    """
    :param task_name: what the function sees as its task's name.
    :param parameters: what it sees as job parameters.
    :param metric_group: where its metrics go.
    """
    # Not at the top: it brings Apache Beam, which takes a while, and the server answers meanwhile.
    from pyflink.fn_execution.datastream.process.runtime_context import StreamingRuntimeContext

    return StreamingRuntimeContext(
        task_name=task_name,
        task_name_with_subtasks=f"{task_name} (1/1)",
        number_of_parallel_subtasks=1,
        max_number_of_parallel_subtasks=1,
        index_of_this_subtask=0,
        attempt_number=0,
        job_parameters=dict(parameters),
        metric_group=metric_group,
        keyed_state_backend=None,
        in_batch_execution_mode=False,
    )
