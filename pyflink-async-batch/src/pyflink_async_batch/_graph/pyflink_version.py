"""Refuses a PyFlink that this package was not built for."""

import re
from typing import Optional

from pyflink_async_batch.errors import UnsupportedEnvironmentError

# As the operator's SupportedFlink; what is known to run is in docs/compatibility.md.
_SUPPORTED = re.compile(r"2\.(2\.[1-9]|3(\.|$))")


def require_supported_pyflink(version: Optional[str] = None) -> None:
    """
    :param version: The version of PyFlink, by default that of the installed one.
    :raises UnsupportedEnvironmentError: The version is not a supported one.
    """
    if version is None:
        version = _installed_version()
    if not _SUPPORTED.match(version):
        raise UnsupportedEnvironmentError(
            "pyflink-async-batch works with apache-flink 2.2.1 and later 2.2.x, and with 2.3.x, "
            f"but apache-flink {version} is installed. Install a supported one with: "
            "pip install 'apache-flink>=2.2.1,<2.4'."
        )


def _installed_version() -> str:
    import pyflink.version

    return str(pyflink.version.__version__)
