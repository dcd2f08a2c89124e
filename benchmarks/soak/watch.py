"""What the processes hold while the job runs, and between two incarnations of it."""

import contextlib
import subprocess
import threading
import time
from typing import Callable, Dict, List, NamedTuple

import psutil

from . import processes
from .processes import Holdings

_SECONDS_BETWEEN = 2.0
_LOOKS_BETWEEN_COLLECTIONS = 10
_COLLECTION_SECONDS = 60.0
_SETTLE_SECONDS = 20.0

Watched = Callable[[], Dict[str, List[psutil.Process]]]


class Sample(NamedTuple):
    """One look at one process, in seconds since the first."""

    seconds: float
    role: str
    resident_bytes: int
    descriptors: int


class Idle(NamedTuple):
    """What was there while no job ran; of TaskManagers the eldest first."""

    task_managers: Dict[int, Holdings]
    workers: int


class Watch:
    """Looks at processes in a thread of its own until it is closed."""

    def __init__(self, watched: Watched) -> None:
        self.samples: List[Sample] = []
        self.idle: List[Idle] = []
        self._watched = watched
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def look_at_idle(self, all_processes: Watched) -> None:
        """Notes what is left once no job runs, after giving it the time to go away."""
        give_up = time.monotonic() + _SETTLE_SECONDS
        found = _idle(all_processes())
        while _is_unsettled(found) and time.monotonic() < give_up:
            time.sleep(0.2)
            found = _idle(all_processes())
        self.idle.append(found)

    def _run(self) -> None:
        looks = 0
        while not self._over.wait(_SECONDS_BETWEEN):
            # A process may go while it is looked at.
            with contextlib.suppress(psutil.NoSuchProcess, OSError, subprocess.TimeoutExpired):
                watched = self._watched()
                if looks % _LOOKS_BETWEEN_COLLECTIONS == 0:
                    for process in watched[processes.TASK_MANAGER]:
                        _collect(process)
                looks += 1
                seconds = time.monotonic() - self._began
                for role, members in watched.items():
                    self.samples += [_sample(seconds, role, process) for process in members]


def _collect(process: psutil.Process) -> None:
    """
    Has a JVM let go of what nothing holds. By itself it keeps the classes of attempts that have
    ended until their space is full, which takes longer than a run of ten minutes.
    """
    subprocess.run(
        ["jcmd", str(process.pid), "GC.run"],
        # It may be on its way out.
        check=False,
        timeout=_COLLECTION_SECONDS,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _sample(seconds: float, role: str, process: psutil.Process) -> Sample:
    return Sample(seconds, role, int(process.memory_info().rss), int(process.num_fds()))


def _idle(found: Dict[str, List[psutil.Process]]) -> Idle:
    task_managers = sorted(found[processes.TASK_MANAGER], key=lambda process: process.create_time())
    return Idle(
        {process.pid: processes.holdings(process.pid) for process in task_managers},
        len(found[processes.WORKER]) + len(found[processes.OTHER]),
    )


def _is_unsettled(found: Idle) -> bool:
    return found.workers > 0 or any(
        held.our_threads or held.our_segments for held in found.task_managers.values()
    )
