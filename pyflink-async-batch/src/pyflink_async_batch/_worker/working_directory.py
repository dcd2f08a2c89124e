"""
The working directory of the process, which a job's archives are found by. All threads of the
process share it.
"""

import contextlib
import os
import threading
from typing import Iterator, Optional

_lock = threading.Lock()
_present: Optional[str] = None
_before = ""
_users = 0


@contextlib.contextmanager
def entered(directory: Optional[str]) -> Iterator[None]:
    """
    Works in a directory until the last who entered it has left.

    :param directory: None for one that works wherever the process does.
    :raises RuntimeError: others work in another one.
    """
    if directory is None:
        yield
        return
    _enter(directory)
    try:
        yield
    finally:
        _leave()


def _enter(directory: str) -> None:
    global _present, _before, _users
    with _lock:
        if _users == 0:
            _before = os.getcwd()
            os.chdir(directory)
            _present = directory
        elif _present != directory:
            raise RuntimeError(
                "The archives of this job are in %s, but the working directory of this TaskManager "
                "is that of another job that has archives too: %s. Run one of them with "
                "python.execution-mode 'process'." % (directory, _present)
            )
        _users += 1


def _leave() -> None:
    global _users
    with _lock:
        _users -= 1
        if _users == 0:
            os.chdir(_before)
