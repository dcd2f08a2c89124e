"""What the tests of the sidecar share."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def directory() -> Iterator[Path]:
    """A private directory whose path is short enough for a socket in it."""
    path = Path(tempfile.mkdtemp(prefix="ab-"))
    yield path
    shutil.rmtree(path)
