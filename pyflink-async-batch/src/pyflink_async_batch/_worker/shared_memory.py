"""
Memory that the operator's process maps too, for the bodies of large batches.

It has no name in any file system: this process makes two anonymous files, the operator opens them
through ``/proc``, which the kernel allows to the same user alone. Whatever ends either process,
nothing is left behind when both are gone. Neither is bounded by the size of ``/dev/shm``, which is
64 MB in many containers.
"""

import asyncio
import contextlib
import fcntl
import mmap
import os
import threading
import weakref
from typing import Any, Callable, Dict, Optional

import numpy as np
import pyarrow as pa

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.region_table import RegionTable


def is_supported() -> bool:
    """Whether this system has what it takes, which is Linux with ``/proc``."""
    return (
        hasattr(os, "memfd_create")
        and hasattr(fcntl, "F_ADD_SEALS")
        and os.path.exists("/proc/self/fd")
    )


class SharedMemory:
    """
    Inputs, which the operator writes and this process only reads, and results, the other way round.
    Made and used on the event loop's thread.

    :param size: bytes for each direction, whole pages.
    :param on_release: called on the loop with the offset of an input that nothing here refers to
                       any more.
    """

    def __init__(self, size: int, on_release: Callable[[int], None]) -> None:
        self._size = size
        self._on_release = on_release
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._inputs_fd = _anonymous_file("async-batch-inputs", size)
        self._results_fd = _anonymous_file("async-batch-results", size)
        self._inputs = np.frombuffer(
            mmap.mmap(self._inputs_fd, size, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ), np.uint8
        )
        self._results = memoryview(mmap.mmap(self._results_fd, size, flags=mmap.MAP_SHARED))
        self._regions = RegionTable(size)
        self._leases: Dict[int, weakref.ref[Any]] = {}

    def offer(self) -> Any:
        """How the operator finds the memory."""
        return async_batch_pb2.SharedMemoryOffer(
            pid=os.getpid(), inputs_fd=self._inputs_fd, results_fd=self._results_fd
        )

    def mapped(self) -> None:
        """The operator has the memory: it needs the descriptors no more."""
        os.close(self._inputs_fd)
        os.close(self._results_fd)

    def input(self, offset: int, length: int) -> pa.Buffer:
        """
        :return: a view of an input, for reading only. The operator keeps the memory as it is until
                 the last array, view or tensor that is made of it without a copy is gone.
        :raises ValueError: it is not within the memory.
        """
        if length > self._size - offset:
            raise ValueError(
                "a body at offset %d of length %d is not within shared memory of %d bytes"
                % (offset, length, self._size)
            )
        lease = self._inputs[offset : offset + length]
        self._leases[offset] = weakref.ref(lease, lambda _: self._forget(offset))
        return pa.py_buffer(lease)

    def _forget(self, offset: int) -> None:
        # In whichever thread drops the last reference, perhaps one that user code started.
        self._leases.pop(offset, None)
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the operator with it
            if threading.get_ident() == self._thread:
                # Not at once: the last reference may go in the middle of sending a frame.
                self._loop.call_soon(self._on_release, offset)
            else:
                self._loop.call_soon_threadsafe(self._on_release, offset)

    def take(self, size: int) -> Optional[int]:
        """:return: where a result of so many bytes may be placed, None if there is no room."""
        return self._regions.take(size)

    def result(self, offset: int, size: int) -> memoryview:
        """The bytes at an offset that :func:`take` returned, for writing."""
        return self._results[offset : offset + size]

    def give_back(self, offset: int) -> None:
        """The operator has read a result."""
        self._regions.give_back(offset)


def _anonymous_file(name: str, size: int) -> int:
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.fchmod(fd, 0o600)
    os.ftruncate(fd, size)
    # Reading past the end of a mapped file would end either process.
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    return fd
