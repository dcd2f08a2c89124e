"""
Ends a worker whose JVM is gone, in whatever way it went.

The JVM holds the only write end of a pipe that is this process's standard input. When the JVM dies,
even by SIGKILL, the kernel closes it. What the JVM could not remove any more is removed here.
"""

import os
import shutil
import signal
import threading
import time
from typing import Optional

from pyflink_async_batch._worker import gpu_leases

# The private directory of the batch channel's socket; there only until the worker has connected.
_SOCKET_DIRECTORY_VARIABLE = "_ASYNC_BATCH_SOCKET_DIRECTORY"
# Where the worker's part of the GPUs is written down, if it has one.
_GPU_LEASE_VARIABLE = "_ASYNC_BATCH_GPU_LEASE"
# PyFlink's directory for the files, archives and requirements of a job, shared by its workers.
_DEPENDENCY_DIRECTORY_VARIABLE = "BOOT_LOG_DIR"
_DEPENDENCY_DIRECTORY_PREFIX = "python-dist-"
_PARENT_END_SECONDS = 1.0


def start() -> None:
    """Starts to watch, on a thread of its own: user code may block the event loop's."""
    socket_directory = os.environ.pop(_SOCKET_DIRECTORY_VARIABLE, None)
    gpu_lease = os.environ.get(_GPU_LEASE_VARIABLE)
    dependency_directory = os.environ.get(_DEPENDENCY_DIRECTORY_VARIABLE)
    jvm = os.getppid()

    def wait_for_end_of_pipe() -> None:
        while os.read(0, 1):
            pass
        # Siblings of this worker use the same directories for as long as the JVM lives.
        if _has_ended(jvm):
            _remove(socket_directory)
            if gpu_lease is not None:
                gpu_leases.clear_up(gpu_lease)
            name = os.path.basename(dependency_directory or "")
            if name.startswith(_DEPENDENCY_DIRECTORY_PREFIX):
                _remove(dependency_directory)
        # Not only this process: user code may have started others.
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=wait_for_end_of_pipe, name="jvm-watch", daemon=True).start()


def _has_ended(parent: int) -> bool:
    """Whether this process has lost its parent; the pipe may end a moment before it does."""
    deadline = time.monotonic() + _PARENT_END_SECONDS
    while os.getppid() == parent:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _remove(directory: Optional[str]) -> None:
    if directory is not None:
        shutil.rmtree(directory, ignore_errors=True)
