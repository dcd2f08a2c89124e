"""The JDK that the build has."""

import os
from pathlib import Path


def jdk_tool(name: str) -> str:
    """A program of the JDK that Maven takes: in JAVA_HOME, or on the PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin" / name) if home else name
