"""What a batched async function asks of the execution environment."""

import sys
from typing import Any

from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import is_local_deployment

from pyflink_async_batch.errors import UnsupportedEnvironmentError


def environment_configuration(j_environment: Any) -> Any:
    """
    :param j_environment: A Java ``StreamExecutionEnvironment``.
    :return: Its Java ``Configuration``: the live object, not a copy.
    """
    j_config_util = get_gateway().jvm.org.apache.flink.python.util.PythonConfigUtil
    return j_config_util.getEnvironmentConfig(j_environment)


def refuse_thread_mode(j_configuration: Any) -> None:
    """
    :raises UnsupportedEnvironmentError: The job's Python functions are to run in threads of the
                                         TaskManager.
    """
    options = get_gateway().jvm.org.apache.flink.python.PythonOptions
    mode = j_configuration.get(options.PYTHON_EXECUTION_MODE)
    if mode == "thread":
        raise UnsupportedEnvironmentError(
            "AsyncBatchFunction is still not supported for 'thread' mode: "
            f"'{options.PYTHON_EXECUTION_MODE.key()}' must be 'process', got '{mode}'."
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
