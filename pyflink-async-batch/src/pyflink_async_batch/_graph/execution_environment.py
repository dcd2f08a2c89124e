"""What a batched async function asks of the execution environment."""

import sys
from importlib.util import find_spec
from typing import Any

from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import is_local_deployment

from pyflink_async_batch.errors import UnsupportedEnvironmentError
from pyflink_async_batch.options import AsyncBatchOptions


def environment_configuration(j_environment: Any) -> Any:
    """
    :param j_environment: A Java ``StreamExecutionEnvironment``.
    :return: Its Java ``Configuration``: the live object, not a copy.
    """
    j_config_util = get_gateway().jvm.org.apache.flink.python.util.PythonConfigUtil
    return j_config_util.getEnvironmentConfig(j_environment)


def require_execution_mode_for(options: AsyncBatchOptions, j_configuration: Any) -> None:
    """
    :raises UnsupportedEnvironmentError: ``python.execution-mode`` is not what an operator with
                                         these options needs.
    """
    require_usable_execution_mode(j_configuration, options.shares_worker)
    for argument in options.for_worker_processes:
        require_worker_processes(j_configuration, argument)


def require_usable_execution_mode(j_configuration: Any, shares_worker: bool = False) -> None:
    """
    :param shares_worker: Whether the subtasks of a TaskManager share one worker process.
    :raises UnsupportedEnvironmentError: ``python.execution-mode`` is unknown, or is 'thread' where
                                         a worker process is to be shared or the job runs inside
                                         this process's JVM and that cannot work. On a cluster its
                                         TaskManagers will tell.
    """
    option = get_gateway().jvm.org.apache.flink.python.PythonOptions.PYTHON_EXECUTION_MODE
    mode = j_configuration.get(option)
    if mode not in ("process", "thread"):
        raise UnsupportedEnvironmentError(
            f"'{option.key()}' must be 'process' or 'thread', got '{mode}'."
        )
    if mode == "thread" and shares_worker:
        raise UnsupportedEnvironmentError(
            f"worker='shared' needs '{option.key()}' to be 'process', got '{mode}': in thread mode "
            "all subtasks of a TaskManager run in one Python, and can share a model in a module."
        )
    if mode == "thread" and is_local_deployment(j_configuration):
        if sys.platform != "linux":
            raise UnsupportedEnvironmentError(
                f"'{option.key()}' can be 'thread' on Linux only, this is '{sys.platform}'."
            )
        if find_spec("pemja") is None:
            raise UnsupportedEnvironmentError(
                f"'{option.key()}' can be 'thread' only where pemja is installed, which "
                "apache-flink brings: install it with pip install 'apache-flink>=2.2.1,<2.4'."
            )


def require_worker_processes(j_configuration: Any, argument: str) -> None:
    """
    :param argument: what asks for them.
    :raises UnsupportedEnvironmentError: ``python.execution-mode`` is 'thread'.
    """
    option = get_gateway().jvm.org.apache.flink.python.PythonOptions.PYTHON_EXECUTION_MODE
    mode = j_configuration.get(option)
    if mode != "process":
        raise UnsupportedEnvironmentError(
            f"'{option.key()}' must be 'process' where {argument} is given, got '{mode}'."
        )


def default_to_this_interpreter(j_configuration: Any) -> None:
    """
    Lets the workers of a job that runs inside this process's JVM use the interpreter that builds
    the job, unless the user has chosen another one. PyFlink's own default is whatever ``python``
    is on the PATH, which is not this one, or is missing, when a virtual environment is not
    activated.
    """
    key = get_gateway().jvm.org.apache.flink.python.PythonOptions.PYTHON_EXECUTABLE.key()
    if (
        sys.executable
        and is_local_deployment(j_configuration)
        and not j_configuration.containsKey(key)
    ):
        j_configuration.setString(key, sys.executable)
