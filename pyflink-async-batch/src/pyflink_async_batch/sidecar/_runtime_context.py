"""What a hosted function's ``open(runtime_context)`` gets."""

from typing import Any, Mapping, NoReturn

from pyflink.datastream import RuntimeContext
from pyflink.metrics import MetricGroup


class SidecarRuntimeContext(RuntimeContext):  # type: ignore[misc]
    """
    That of the only subtask of a job which there is not. PyFlink's own would bring Apache Beam,
    which takes seconds and memory.

    :param task_name: what the function sees as its task's name.
    :param parameters: what it sees as job parameters.
    :param metrics: where its metrics go.
    """

    def __init__(self, task_name: str, parameters: Mapping[str, str], metrics: MetricGroup) -> None:
        self._task_name = task_name
        self._parameters = dict(parameters)
        self._metrics = metrics

    def get_task_name(self) -> str:
        return self._task_name

    def get_number_of_parallel_subtasks(self) -> int:
        return 1

    def get_max_number_of_parallel_subtasks(self) -> int:
        return 1

    def get_index_of_this_subtask(self) -> int:
        return 0

    def get_attempt_number(self) -> int:
        return 0

    def get_task_name_with_subtasks(self) -> str:
        return f"{self._task_name} (1/1)"

    def get_job_parameter(self, key: str, default_value: str) -> str:
        return self._parameters.get(key, default_value)

    def get_metrics_group(self) -> MetricGroup:
        return self._metrics

    def get_state(self, state_descriptor: Any) -> NoReturn:
        _refuse_state()

    def get_list_state(self, state_descriptor: Any) -> NoReturn:
        _refuse_state()

    def get_map_state(self, state_descriptor: Any) -> NoReturn:
        _refuse_state()

    def get_reducing_state(self, state_descriptor: Any) -> NoReturn:
        _refuse_state()

    def get_aggregating_state(self, state_descriptor: Any) -> NoReturn:
        _refuse_state()


def _refuse_state() -> NoReturn:
    raise RuntimeError("a batched function has no keyed state")
