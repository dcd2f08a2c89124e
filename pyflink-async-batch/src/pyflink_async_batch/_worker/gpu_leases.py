"""
Who has which part of which GPU on this machine, in whatever process.

A lease is a file in a directory that all workers of a user share. The process that has the lease
holds a lock on its file, which the kernel lets go when the process ends, however it ends. A file
that nobody has locked is thus the remainder of a process that is gone, and counts for nothing.
"""

import contextlib
import fcntl
import json
import os
import stat
from dataclasses import dataclass
from typing import Dict, Iterator, List, Mapping, Optional, Sequence

from pyflink_async_batch._worker.gpu_assignment import WHOLE, assign

_SUFFIX = ".lease"
# Far more than a lease is, and what of a stranger's file would be read at most.
_MAX_LEASE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Lease:
    """What one holder has: hundredths of each of its devices."""

    holder: str
    devices: Mapping[str, int]


class HeldLease:
    """A lease of this process, from when it was taken until it is released or the process ends."""

    def __init__(self, descriptor: int, path: str, lease: Lease) -> None:
        self._descriptor: Optional[int] = descriptor
        self._path = path
        self.lease = lease

    def release(self) -> None:
        """Gives the devices back. Idempotent."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            clear_up(self._path)
            os.close(descriptor)


class LeaseDirectory:
    """
    The leases of one directory.

    :param path: made with the first lease, for this user alone.
    """

    def __init__(self, path: str) -> None:
        self._path = path

    def take(
        self, name: str, wanted: int, devices: Sequence[str], holder: str
    ) -> Optional[HeldLease]:
        """
        :param name: of the lease's file; no other lease has it.
        :param wanted: hundredths of a device.
        :param holder: who takes the lease, for those who wait for it.
        :return: None while there is not enough left.
        """
        while True:
            try:
                directory = self._lock()
                try:
                    return self._take(directory, name, wanted, devices, holder)
                finally:
                    os.close(directory)
            except FileNotFoundError:
                # Whoever gave the last lease back has removed the directory meanwhile.
                continue

    def leases(self) -> List[Lease]:
        """What others have at the moment."""
        try:
            directory = self._lock()
        except FileNotFoundError:
            return []
        try:
            return list(self._held(directory))
        finally:
            os.close(directory)

    def _lock(self) -> int:
        """Opens the directory and waits for its lock, which each has for some milliseconds."""
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(self._path, 0o700)
        directory = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            status = os.fstat(directory)
            if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
                raise PermissionError(
                    "%s must belong to user %d and be closed to others; remove it"
                    % (self._path, os.getuid())
                )
            fcntl.flock(directory, fcntl.LOCK_EX)
            return directory
        except BaseException:
            os.close(directory)
            raise

    def _take(
        self, directory: int, name: str, wanted: int, devices: Sequence[str], holder: str
    ) -> Optional[HeldLease]:
        chosen = assign(wanted, devices, taken(self._held(directory)))
        if chosen is None:
            return None
        lease = Lease(holder, {device: min(wanted, WHOLE) for device in chosen})
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        # In the directory that is locked, which may have lost its name by now.
        descriptor = os.open(name + _SUFFIX, flags, 0o600, dir_fd=directory)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            text = json.dumps({"holder": holder, "devices": lease.devices})
            os.write(descriptor, text.encode("utf-8"))
        except BaseException:
            os.close(descriptor)
            raise
        return HeldLease(descriptor, os.path.join(self._path, name), lease)

    def _held(self, directory: int) -> Iterator[Lease]:
        for name in os.listdir(directory):
            if name.endswith(_SUFFIX):
                lease = _read(directory, name)
                if lease is not None:
                    yield lease


def _read(directory: int, name: str) -> Optional[Lease]:
    """A lease that somebody holds; removes one that nobody holds."""
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_NOFOLLOW, dir_fd=directory)
    except FileNotFoundError:
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            content = json.loads(os.read(descriptor, _MAX_LEASE_BYTES))
            return Lease(str(content["holder"]), dict(content["devices"]))
        _unlink(name, directory)
        return None
    finally:
        os.close(descriptor)


def clear_up(lease: str) -> None:
    """
    Removes the file of a lease that is about to end, and the directory after the last one.

    :param lease: the path of the lease: its directory and its name.
    """
    _unlink(lease + _SUFFIX)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(lease))


def _unlink(name: str, directory: Optional[int] = None) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def taken(leases: Iterator[Lease]) -> Dict[str, int]:
    """Hundredths of each device that somebody has."""
    sums: Dict[str, int] = {}
    for lease in leases:
        for device, part in lease.devices.items():
            sums[device] = sums.get(device, 0) + part
    return sums
