"""
The protocol's system shared memory: files of clients in ``/dev/shm``, read and written where they
lie.

They are read and written by ``pread`` and ``pwrite`` and never mapped. That costs one copy, and a
client that truncates its file while it is used gets an error and does not end this process, as it
would through a map (SIGBUS). What a function was given stays as it is, too, whatever the client
does with its memory after the answer.
"""

import errno
import fcntl
import os
import stat
import struct
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

import numpy as np

from pyflink_async_batch.sidecar._sidecar_error import invalid

_DIRECTORY = "/dev/shm"
_MAX_REGIONS = 4096
# Linux, 64 bits: l_type, l_whence, l_start, l_len, l_pid.
_FLOCK = struct.Struct("@hhqqi4x")


class RegionExistsError(Exception):
    """A region of that name is registered."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"shared memory region '{self.name[:80]}' is registered already"


class SharedRegion:
    """A registered part of a file. The file stays open while it is registered or used."""

    def __init__(self, name: str, key: str, offset: int, size: int) -> None:
        self.name = name
        self.key = key
        self.offset = offset
        self.size = size
        self._fd = _open(key, offset, size)
        #: Whether its owner holds a lock while it lives. Triton's own client does not.
        self._was_locked = self._is_locked()

    def is_abandoned(self) -> bool:
        """Whether its owner held a lock on it and does so no more."""
        if self._was_locked:
            return not self._is_locked()
        # A client may lock it just after it registered it.
        self._was_locked = self._is_locked()
        return False

    def read(self, offset: int, size: int) -> Any:
        """
        :param offset: in the region.
        :return: the bytes, as an array.
        :raises EOFError: the file has become shorter.
        """
        data = np.empty(size, np.uint8)
        view = memoryview(data)
        position = 0
        while position < size:
            count = os.preadv(self._fd, [view[position:]], self.offset + offset + position)
            if count == 0:
                raise EOFError
            position += count
        return data

    def write(self, offset: int, data: Any) -> None:
        """
        :param offset: in the region.
        :raises EOFError: the file has become shorter.
        """
        view = memoryview(data)
        if os.fstat(self._fd).st_size < self.offset + offset + view.nbytes:
            raise EOFError
        position = 0
        while position < view.nbytes:
            position += os.pwrite(self._fd, view[position:], self.offset + offset + position)

    def _is_locked(self) -> bool:
        query = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = fcntl.fcntl(self._fd, fcntl.F_GETLK, query)
        return int(_FLOCK.unpack(answer)[0]) != fcntl.F_UNLCK

    def __del__(self) -> None:
        # By reference count: when it is registered no more and its last request is answered.
        fd = getattr(self, "_fd", None)
        if fd is not None:
            os.close(fd)


@dataclass(frozen=True)
class SharedSlice:
    """Where a tensor lies. Keeps its region open."""

    region: SharedRegion
    offset: int
    size: int

    @property
    def region_name(self) -> str:
        return self.region.name

    def read(self, tensor: str) -> Any:
        """:raises SidecarError: the bytes are not there any more."""
        try:
            return self.region.read(self.offset, self.size)
        except (EOFError, OSError):
            raise self._gone(tensor) from None

    def write(self, tensor: str, data: Any) -> None:
        """:raises SidecarError: there is not enough room."""
        if len(data) > self.size:
            raise invalid(
                f"output '{tensor}' has {len(data)} bytes, more than the {self.size} that the "
                "request has in shared memory for it"
            )
        try:
            self.region.write(self.offset, data)
        except (EOFError, OSError):
            raise self._gone(tensor) from None

    def _gone(self, tensor: str) -> Exception:
        return invalid(
            f"tensor '{tensor}': the file of shared memory region '{self.region_name[:80]}' has "
            "become shorter than it was when it was registered"
        )


class SharedRegions:
    """The regions that clients have registered. Used on the server's event loop."""

    def __init__(self) -> None:
        self._regions: Dict[str, SharedRegion] = {}

    def __len__(self) -> int:
        return len(self._regions)

    def register(self, name: str, key: str, offset: int, size: int) -> None:
        """
        :param key: the name of a POSIX shared memory object.
        :raises RegionExistsError: the name is taken.
        :raises SidecarError: the object is not there, not private to this user, or too small.
        """
        if not name:
            raise invalid("a shared memory region must have a name")
        if name in self._regions:
            raise RegionExistsError(name)
        if len(self._regions) >= _MAX_REGIONS:
            self.drop_abandoned()
        if len(self._regions) >= _MAX_REGIONS:
            raise invalid(f"there are {_MAX_REGIONS} shared memory regions, and no more are taken")
        self._regions[name] = SharedRegion(name, key, offset, size)

    def unregister(self, name: str) -> None:
        """Forgets a region, or all if the name is empty. Requests that use it are not disturbed."""
        if name:
            self._regions.pop(name, None)
        else:
            self._regions.clear()

    def status(self, name: str) -> List[SharedRegion]:
        """The region of that name, or all if it is empty."""
        if not name:
            return list(self._regions.values())
        return [self._region(name)]

    def slice(self, name: str, offset: int, size: int) -> SharedSlice:
        """:raises SidecarError: there is no such region, or it is smaller."""
        region = self._region(name)
        if offset < 0 or size <= 0 or offset + size > region.size:
            raise invalid(
                f"{size} bytes at offset {offset} are not within shared memory region "
                f"'{name[:80]}' of {region.size} bytes"
            )
        return SharedSlice(region, offset, size)

    def drop_abandoned(self) -> None:
        """Forgets the regions whose owners died."""
        for region in list(self._regions.values()):
            if region.is_abandoned():
                del self._regions[region.name]

    def _region(self, name: str) -> SharedRegion:
        region: Optional[SharedRegion] = self._regions.get(name)
        if region is None:
            raise invalid(f"there is no shared memory region '{name[:80]}'")
        return region


def _open(key: str, offset: int, size: int) -> int:
    if offset < 0 or size <= 0:
        raise invalid(f"a region must have bytes, got offset {offset} and {size} bytes")
    name = key[1:] if key.startswith("/") else key
    if not 1 <= len(name.encode("utf-8", "replace")) <= 255 or "/" in name or "\0" in name:
        raise invalid("the key of shared memory must be the name of an object, such as /name")
    if name in (".", ".."):
        raise invalid(f"the key of shared memory must be the name of an object, got {key}")
    # Non-blocking, as somebody may have put a pipe there.
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(os.path.join(_DIRECTORY, name), flags)
    except OSError as error:
        reason = errno.errorcode.get(error.errno or 0, "an error")
        raise invalid(f"shared memory '{key[:80]}' cannot be opened: {reason}") from None
    problem = _problem(os.fstat(fd), offset + size)
    if problem is not None:
        os.close(fd)
        raise invalid(f"shared memory '{key[:80]}' {problem}")
    return fd


def _problem(status: os.stat_result, end: int) -> Optional[str]:
    if not stat.S_ISREG(status.st_mode):
        return "must be a regular file"
    if status.st_uid != os.geteuid():
        return "must belong to the user that the server runs as"
    if stat.S_IMODE(status.st_mode) != 0o600:
        return f"must have mode 0600, got {stat.S_IMODE(status.st_mode):04o}"
    if status.st_size < end:
        return f"must have at least {end} bytes, got {status.st_size}"
    return None
