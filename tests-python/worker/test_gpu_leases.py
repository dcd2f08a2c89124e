"""Parts of GPUs that processes hold: counted while they live, free when they are gone."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
from pyflink_async_batch._worker import gpu_leases
from pyflink_async_batch._worker.gpu_assignment import assign
from pyflink_async_batch._worker.gpu_leases import HeldLease, Lease, LeaseDirectory

DEVICES = ["0", "1"]

HOLD = """
import sys
from pyflink_async_batch._worker.gpu_leases import LeaseDirectory
path, name, wanted = sys.argv[1:]
lease = LeaseDirectory(path).take(name, int(wanted), ["0", "1"], name)
print(lease and ",".join(lease.lease.devices), flush=True)
sys.stdin.read()
"""

Holders = Callable[[str, int], "subprocess.Popen[bytes]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "leases"


@pytest.fixture
def directory(path: Path) -> LeaseDirectory:
    return LeaseDirectory(str(path))


@pytest.fixture
def start(path: Path) -> Iterator[Holders]:
    """Starts a process that takes a lease, says which devices it got, and waits."""
    processes = []

    def start(name: str, wanted: int) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), name, str(wanted)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def devices_of(process: "subprocess.Popen[bytes]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().decode().strip()


def take(directory: LeaseDirectory, name: str, wanted: int) -> Optional[HeldLease]:
    return directory.take(name, wanted, DEVICES, "holder of %s" % name)


def test_two_halves_land_on_one_device_and_a_third_on_another(directory: LeaseDirectory) -> None:
    leases = [take(directory, name, 50) for name in "abcd"]
    assert [lease and list(lease.lease.devices) for lease in leases] == [["0"], ["0"], ["1"], ["1"]]
    assert take(directory, "e", 1) is None
    assert sorted(directory.leases(), key=lambda lease: lease.holder)[2] == Lease(
        "holder of c", {"1": 50}
    )


def test_what_is_released_can_be_taken_once(directory: LeaseDirectory, path: Path) -> None:
    whole = take(directory, "whole", 200)
    assert whole is not None
    assert take(directory, "half", 50) is None
    whole.release()
    half = take(directory, "half", 50)
    assert half is not None
    whole.release()
    assert take(directory, "another whole", 200) is None
    half.release()
    assert not path.exists()


def test_the_lease_of_a_process_that_was_killed_is_free(
    directory: LeaseDirectory, path: Path, start: Holders
) -> None:
    holder = start("killed", 200)
    assert devices_of(holder) == "0,1"
    assert take(directory, "next", 50) is None
    holder.kill()
    holder.wait()
    assert [file.name for file in path.iterdir()] == ["killed.lease"]
    assert take(directory, "next", 50) is not None
    assert [file.name for file in path.iterdir()] == ["next.lease"]


def test_a_child_that_was_forked_holds_the_lease_of_its_parent(directory: LeaseDirectory) -> None:
    """It may have memory on the device."""
    lease = take(directory, "parent", 100)
    assert lease is not None
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    # As at the end of the parent: no release, which would remove the file.
    os.close(lease._descriptor)  # type: ignore[arg-type]
    assert len(directory.leases()) == 1
    os.close(write)
    os.waitpid(child, 0)
    assert directory.leases() == []
    os.close(read)


def test_processes_that_start_at_once_never_take_too_much(start: Holders) -> None:
    processes = [start("holder-%d" % i, 30) for i in range(8)]
    with ThreadPoolExecutor(len(processes)) as threads:
        got = sorted(threads.map(devices_of, processes))
    assert got == ["0", "0", "0", "1", "1", "1", "None", "None"]


def test_nobody_else_chooses_meanwhile(
    directory: LeaseDirectory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def assign_and_look(*arguments: Any) -> Any:
        other = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            seen.append("locked")
        finally:
            os.close(other)
        return assign(*arguments)

    monkeypatch.setattr(gpu_leases, "assign", assign_and_look)
    assert take(directory, "a", 50) is not None
    assert seen == ["locked"]


def test_the_files_are_private(directory: LeaseDirectory, path: Path) -> None:
    old = os.umask(0)
    try:
        lease = take(directory, "private", 1)
    finally:
        os.umask(old)
    assert lease is not None
    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / "private.lease").stat().st_mode & 0o777 == 0o600


def test_a_directory_that_others_may_write_to_is_refused(
    directory: LeaseDirectory, path: Path
) -> None:
    path.mkdir()
    path.chmod(0o777)
    with pytest.raises(PermissionError, match="must belong to user %d" % os.getuid()):
        take(directory, "a", 1)


def test_a_link_is_not_followed(directory: LeaseDirectory, path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path)
    with pytest.raises(OSError, match=r"."):
        take(directory, "a", 1)
    assert list(tmp_path.iterdir()) == [path]


def test_a_lease_that_is_about_to_end_is_cleared_up(directory: LeaseDirectory, path: Path) -> None:
    first, second = take(directory, "first", 1), take(directory, "second", 1)
    assert first is not None
    assert second is not None
    gpu_leases.clear_up(str(path / "first"))
    assert [file.name for file in path.iterdir()] == ["second.lease"]
    gpu_leases.clear_up(str(path / "second"))
    assert not path.exists()


def test_a_directory_that_goes_meanwhile_is_made_anew(
    directory: LeaseDirectory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = LeaseDirectory._lock
    removals = [True, False]

    def lock_and_lose(self: LeaseDirectory) -> int:
        descriptor = locked(self)
        if removals.pop(0):
            path.rmdir()
        return descriptor

    monkeypatch.setattr(LeaseDirectory, "_lock", lock_and_lose)
    assert take(directory, "a", 1) is not None
    assert removals == []
