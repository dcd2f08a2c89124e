"""The processes of a cluster, and what they hold, as Linux shows them."""

import contextlib
import os
import pathlib
import re
from typing import Dict, Iterator, List, NamedTuple

import psutil

TASK_MANAGER, JOB_MANAGER, WORKER, OTHER = "TaskManager", "JobManager", "worker", "other"

_ROLES = {
    "_worker.entrypoint": WORKER,
    "TaskManagerRunner": TASK_MANAGER,
    "ClusterEntrypoint": JOB_MANAGER,
}
_OUR_THREADS = "python-worker"
# Pools that fill with the first jobs and are bounded.
_POOLS = ("flink-", "Flink ", "GC Thread", "G1 ", "C1 ", "C2 ")
_OUR_SEGMENTS = re.compile(r"memfd:async-batch|/dev/shm/async-batch")
_OUR_FILES = ("async-batch-*", "python-dist-*")


class Holdings(NamedTuple):
    """What a process holds, by counts; threads without those of the pools of Flink and the JVM."""

    threads: int
    descriptors: int
    our_threads: int
    our_segments: int
    listening: int


def of_cluster(configuration: pathlib.Path) -> Dict[str, List[psutil.Process]]:
    """
    All living processes of a cluster by their role, orphans too: whatever it started has inherited
    where its configuration is.
    """
    mark = f"FLINK_CONF_DIR={configuration}".encode()
    found: Dict[str, List[psutil.Process]] = {role: [] for role in (*_ROLES.values(), OTHER)}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            environment = pathlib.Path(f"/proc/{process.pid}/environ").read_bytes()
            if mark in environment.split(b"\0") and is_alive(process):
                found[_role(process)].append(process)
    for processes in found.values():
        processes.sort(key=lambda process: process.pid)
    return found


def _role(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    return next((role for mark, role in _ROLES.items() if mark in command), OTHER)


def is_alive(process: psutil.Process) -> bool:
    """Whether it still is that process, and not one that only waits to be reaped."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def holdings(pid: int) -> Holdings:
    """
    :raises OSError: There is no such process any more.
    """
    targets = list(_descriptors(pid))
    names = list(_thread_names(pid))
    mapped = pathlib.Path(f"/proc/{pid}/maps").read_text()
    segments = sum(bool(_OUR_SEGMENTS.search(target)) for target in targets)
    return Holdings(
        threads=sum(not name.startswith(_POOLS) for name in names),
        descriptors=len(targets),
        our_threads=sum(name.startswith(_OUR_THREADS) for name in names),
        our_segments=segments + len(_OUR_SEGMENTS.findall(mapped)),
        listening=_listening(pid, targets),
    )


def our_files(directory: pathlib.Path) -> List[pathlib.Path]:
    """The temporary files and directories of workers, below the one that Flink was given."""
    return sorted(path for pattern in _OUR_FILES for path in directory.glob(f"**/{pattern}"))


def _descriptors(pid: int) -> Iterator[str]:
    directory = f"/proc/{pid}/fd"
    for descriptor in os.listdir(directory):
        with contextlib.suppress(OSError):
            yield os.readlink(os.path.join(directory, descriptor))


def _thread_names(pid: int) -> Iterator[str]:
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            yield (task / "comm").read_text().strip()


def _listening(pid: int, targets: List[str]) -> int:
    """How many TCP sockets of the process listen."""
    sockets = {target[len("socket:[") : -1] for target in targets if target.startswith("socket:[")}
    listening = 0
    for table in ("tcp", "tcp6"):
        for line in pathlib.Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            listening += fields[3] == "0A" and fields[9] in sockets
    return listening
