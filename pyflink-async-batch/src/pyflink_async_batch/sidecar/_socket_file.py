"""The file of a Unix socket: taken by one server at a time, private, and removed at the end."""

import contextlib
import fcntl
import os
import socket
import stat
from typing import Iterator, Optional, Tuple

from pyflink_async_batch.errors import UnsupportedEnvironmentError

# A server that is there and does not accept within this time is there all the same.
_PROBE_SECONDS = 1.0


class SocketFile:
    """
    :param path: absolute, in a directory that exists.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._identity: Optional[Tuple[int, int]] = None

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """
        Within it the socket is to be bound. No other server looks at the directory meanwhile, and
        the file comes into being with mode 0600.

        :raises UnsupportedEnvironmentError: another server lives there, something else lies there,
                                             or others may write to the directory.
        """
        directory = os.path.dirname(self._path)
        try:
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise UnsupportedEnvironmentError(
                f"The directory '{directory}' of the socket cannot be opened: {error.strerror}."
            ) from None
        try:
            _check_directory(directory, os.fstat(fd))
            fcntl.flock(fd, fcntl.LOCK_EX)
            self._remove_stale()
            mask = os.umask(0o177)
            try:
                yield
            finally:
                os.umask(mask)
            status = os.lstat(self._path)
            self._identity = (status.st_dev, status.st_ino)
        finally:
            os.close(fd)

    def remove(self) -> None:
        """Removes the file, if it is still the one that was made."""
        with contextlib.suppress(FileNotFoundError):
            status = os.lstat(self._path)
            if (status.st_dev, status.st_ino) == self._identity:
                os.unlink(self._path)

    def _remove_stale(self) -> None:
        try:
            status = os.lstat(self._path)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(status.st_mode):
            raise UnsupportedEnvironmentError(f"'{self._path}' exists and is not a socket.")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_PROBE_SECONDS)
            try:
                probe.connect(self._path)
            except ConnectionRefusedError:
                os.unlink(self._path)
                return
            except OSError:
                # Such as a full backlog: somebody listens.
                pass
        raise UnsupportedEnvironmentError(f"Another server listens at '{self._path}'.")


def _check_directory(path: str, status: os.stat_result) -> None:
    writable = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if status.st_uid not in (0, os.geteuid()) or (writable and not status.st_mode & stat.S_ISVTX):
        raise UnsupportedEnvironmentError(
            f"Others may replace a socket in the directory '{path}': it must belong to this user "
            "or root, and others must not be able to write to it."
        )
