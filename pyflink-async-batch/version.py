"""The wheel's version, read from the root pom so that jar and wheel can never differ."""

import pathlib
import re

_PARENT = r"<artifactId>flink-async-batch-parent</artifactId>\s*<version>([^<]+)</version>"


def wheel_version() -> str:
    """Returns Maven's version in PEP 440's spelling: ``0.1.0-SNAPSHOT`` is ``0.1.0.dev0``."""
    pom = pathlib.Path(__file__).resolve().parent.parent / "pom.xml"
    found = re.search(_PARENT, pom.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"no version of flink-async-batch-parent in {pom}")
    return found.group(1).replace("-SNAPSHOT", ".dev0")
