"""The session cluster that the job runs on: two TaskManagers that may be killed."""

import pathlib
import sys
from typing import Any, Callable, Dict, List

import psutil

sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests-python/cluster"))

import session_cluster

from . import processes

_TASK_MANAGERS = 2
_GIVE_UP_SECONDS = 300.0
_OPTIONS = (
    # So that a TaskManager that is killed is missed within seconds.
    "heartbeat.interval: 500",
    "heartbeat.timeout: 30000",
    # So that no TaskManager is without a task, and looks emptier than it will be.
    "taskmanager.load-balance.mode: SLOTS",
    # What made a job restart is told from it.
    "web.exception-history-size: 10000",
    "web.checkpoints.history: 10",
    # For the classes of several attempts at a time, on their way out.
    "taskmanager.memory.jvm-metaspace.size: 384m",
    "taskmanager.memory.managed.fraction: 0.05",
)


def until(condition: Callable[[], Any], what: str) -> Any:
    """Waits for something that is true, and returns it, in the time of a machine under load."""
    return session_cluster.until(condition, what, _GIVE_UP_SECONDS)


class SoakCluster(session_cluster.SessionCluster):
    """Two TaskManagers of two slots each, whose heaps are resident from the beginning."""

    def __init__(self, directory: pathlib.Path) -> None:
        super().__init__(directory, options=_OPTIONS, task_managers=_TASK_MANAGERS)
        self.environment["TMPDIR"] = str(self.temporary)
        # What then still moves a JVM's resident size is memory outside of its heap.
        self.environment["JVM_ARGS"] = f"-XX:+AlwaysPreTouch -Djava.io.tmpdir={self.temporary}"

    def processes(self) -> Dict[str, List[psutil.Process]]:
        """All living processes by their role."""
        return processes.of_cluster(self.configuration)
