"""Finds the jar that travels inside the wheel and adds it to a job."""

import atexit
import fnmatch
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import Any, Dict, Optional

from pyflink.common import Configuration
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import add_jars_to_context_class_loader

from pyflink_async_batch.errors import UnsupportedEnvironmentError

_PATTERN = "flink-python-async-batch-*.jar"


def bundled_jar_url(lib: Optional[Any] = None) -> str:
    """
    :param lib: The directory that holds the jar, a path or an importlib ``Traversable``; by default
                the one of the installed package.
    :return: The URL of the jar with the operator.
    :raises UnsupportedEnvironmentError: There is no such jar, or more than one.
    """
    directory = resources.files("pyflink_async_batch") / "lib" if lib is None else lib
    entries = list(directory.iterdir()) if directory.is_dir() else []
    jars = [entry for entry in entries if fnmatch.fnmatch(entry.name, _PATTERN)]
    if len(jars) != 1:
        found = ", ".join(sorted(jar.name for jar in jars)) or "none"
        raise UnsupportedEnvironmentError(
            f"Expected exactly one jar named '{_PATTERN}' in '{directory}', found {found}. The "
            "installation of pyflink-async-batch is damaged, or this is a source tree in which "
            "the wheel was not built yet: install the wheel again."
        )
    (jar,) = jars
    return jar.as_uri() if isinstance(jar, Path) else _unpacked(jar).as_uri()


_unpacked_jars: Dict[str, Path] = {}


def _unpacked(jar: Any) -> Path:
    """
    The jar as a file of its own, until this process ends. A wheel that came by ``-pyfs`` is
    imported from without being unpacked.
    """
    key = str(jar)
    if key not in _unpacked_jars:
        files = ExitStack()
        atexit.register(files.close)
        _unpacked_jars[key] = files.enter_context(resources.as_file(jar))
    return _unpacked_jars[key]


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
