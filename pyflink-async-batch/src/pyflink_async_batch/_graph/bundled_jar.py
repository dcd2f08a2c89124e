"""Finds the jar that travels inside the wheel and adds it to a job."""

from pathlib import Path
from typing import Any

from pyflink.common import Configuration
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import add_jars_to_context_class_loader

from pyflink_async_batch.errors import UnsupportedEnvironmentError

_LIB = Path(__file__).resolve().parent.parent / "lib"
_PATTERN = "flink-python-async-batch-*.jar"


def bundled_jar_url(lib: Path = _LIB) -> str:
    """
    :param lib: The directory that holds the jar.
    :return: The URL of the jar with the operator.
    :raises UnsupportedEnvironmentError: There is no such jar, or more than one.
    """
    jars = sorted(lib.glob(_PATTERN))
    if len(jars) != 1:
        found = ", ".join(jar.name for jar in jars) or "none"
        raise UnsupportedEnvironmentError(
            f"Expected exactly one jar named '{_PATTERN}' in '{lib}', found {found}. The "
            "installation of pyflink-async-batch is damaged, or this is a source tree in which "
            "the wheel was not built yet: install the wheel again."
        )
    return jars[0].as_uri()


def add_bundled_jar(j_configuration: Any) -> None:
    """
    Makes the operator's classes available to the client and to the job. Jars that the user has
    added stay; calling it again for the same environment changes nothing.

    :param j_configuration: The Java configuration of the environment.
    """
    url = bundled_jar_url()
    jars_key = get_gateway().jvm.org.apache.flink.configuration.PipelineOptions.JARS.key()
    jars = Configuration.parse_list_value(j_configuration.getString(jars_key, None))
    if url not in jars:
        Configuration(j_configuration=j_configuration).set_string(jars_key, str([*jars, url]))
    # The context class loader belongs to a thread of the JVM, and py4j gives each Python thread its
    # own one: an environment that has the jar says nothing about the thread of this call.
    add_jars_to_context_class_loader([url])
