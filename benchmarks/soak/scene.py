"""What faults happen to: the cluster, the job in its incarnations, and the backend."""

import pathlib
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional

import json_server
import psutil
from local_job import RunningJob, StopError

from . import load, output, processes
from .cluster import SoakCluster, until
from .load import Directories, Load

_MOST_EXCEPTIONS = 10_000
_STOP_ATTEMPTS = 20

_ON_PURPOSE = "told to fail the task"
# What Flink says, in one way or another, of a TaskManager that is gone, and until another is there.
_TASK_MANAGER_GONE = re.compile(
    r"TaskManager|task manager|TaskExecutor|NoResourceAvailable|required resources"
)


class Incarnation(NamedTuple):
    """What there is to say of a job that has ended."""

    checkpoints: int
    restarts_on_purpose: int
    other_restarts: List[str]


class Scene:
    """One load on one cluster, from its first start to the end of its input."""

    def __init__(
        self, root: pathlib.Path, what: Load, cluster: SoakCluster, backend: json_server.Client
    ) -> None:
        self.root = root
        self.load = what
        self.cluster = cluster
        self.backend = backend
        self.directories = Directories(root)
        self.parallelism = 0
        self.ended: List[Incarnation] = []
        # Called while the cluster has no job, before the next one.
        self.before_start: Callable[[], None] = lambda: None
        self._running: Optional[RunningJob] = None
        self._task_managers_killed = 0

    @property
    def job(self) -> RunningJob:
        assert self._running is not None
        return self._running

    def start(self, parallelism: int, savepoint: Optional[str] = None) -> None:
        """Starts the job, and waits until it works."""
        self.before_start()
        until(self.cluster.is_complete, "the TaskManagers' registration")
        port = int(self.backend.url.rsplit(":", 1)[1])
        self.parallelism = parallelism
        self._task_managers_killed = 0
        self._running = load.start(
            self.load, self.directories, self.cluster.rest_port, port, parallelism, savepoint
        )
        self.await_recovery()

    def stop(self, drain: bool = False) -> str:
        """
        Ends the job with a savepoint. A task that has not yet restarted, or dies meanwhile, makes
        one impossible: the job then goes on, and it is tried again.
        """
        for _ in range(_STOP_ATTEMPTS):
            self.await_recovery()
            try:
                savepoint = self.job.stop(self.directories.savepoints, drain)
            except StopError as failure:
                reason = str(failure)
                continue
            until(lambda: self.job.get()["state"] == "FINISHED", "the job's end")
            self.ended.append(self._incarnation())
            return savepoint
        raise RuntimeError(f"{_STOP_ATTEMPTS} savepoints failed, the last one for: {reason}")

    def is_running(self) -> bool:
        """Whether every task runs: a job that restarts is RUNNING while its tasks deploy."""
        job = self.job.get()
        if job["state"] in ("FAILED", "CANCELED", "FINISHED"):
            raise RuntimeError(f"the job is {job['state']}: {self._failures()[:1]}")
        return job["state"] == "RUNNING" and all(
            vertex["status"] == "RUNNING" and vertex["tasks"]["RUNNING"] == vertex["parallelism"]
            for vertex in job["vertices"]
        )

    def await_recovery(self) -> None:
        until(self.is_running, "the job's recovery")

    def watched(self) -> Dict[str, List[psutil.Process]]:
        """The processes whose size says something, by their role."""
        return {
            processes.TASK_MANAGER: self._task_managers_by_age()[:1],
            processes.WORKER: self.workers(),
        }

    def _task_managers_by_age(self) -> List[psutil.Process]:
        found = self.cluster.processes()[processes.TASK_MANAGER]
        return sorted(found, key=lambda process: process.create_time())

    def _has_work(self, task_manager: psutil.Process) -> bool:
        return any(worker.ppid() == task_manager.pid for worker in self.workers())

    def workers(self) -> List[psutil.Process]:
        """Workers that have begun a batch: one that starts is not looked after yet."""
        return [
            worker
            for worker in self.cluster.processes()[processes.WORKER]
            if (self.directories.at_work / str(worker.pid)).exists()
        ]

    def fail_a_task(self) -> None:
        self.await_recovery()
        before = len(self._failures())
        self.directories.failure.touch()
        until(lambda: len(self._failures()) > before, "the notice of a task's failure")
        self.await_recovery()

    def replace_youngest_task_manager(self) -> None:
        """
        Kills it in the middle of its work, and has another one started in its place. The eldest is
        spared, for what it holds in the end shows what the whole run has left in it.
        """
        self.await_recovery()
        if not self._has_work(self._task_managers_by_age()[-1]):
            # What restarted before it was there is all on the other one; a new start is spread.
            self.start(self.parallelism, self.stop())
        before = len(self._failures())
        self._task_managers_killed += 1
        self._task_managers_by_age()[-1].kill()
        until(lambda: len(self._failures()) > before, "the notice of a TaskManager's death")
        self.cluster.start_task_manager()
        self.await_recovery()

    def rows_written(self) -> int:
        """Rows that the sinks have written, committed or not."""
        return output.lines(self.directories.results)

    def timeouts(self) -> int:
        return self.directories.timeouts.stat().st_size

    def _incarnation(self) -> Incarnation:
        failures = self._failures()
        others = [failure for failure in failures if not self._is_on_purpose(failure)]
        checkpoints = int(self._answer("/checkpoints")["counts"]["completed"])
        return Incarnation(checkpoints, len(failures) - len(others), list(map(_first, others)))

    def _failures(self) -> List[str]:
        found = self._answer(f"/exceptions?maxExceptions={_MOST_EXCEPTIONS}")
        return [entry["stacktrace"] for entry in found["exceptionHistory"]["entries"]]

    def _answer(self, path: str) -> Any:
        """What Flink says of the job, however busy it is."""
        return until(lambda: self.job.get(path), f"an answer to {path}")

    def _is_on_purpose(self, failure: str) -> bool:
        gone = self._task_managers_killed > 0 and _TASK_MANAGER_GONE.search(failure)
        return _ON_PURPOSE in failure or bool(gone)


def _first(failure: str) -> str:
    return failure.split("\n", 1)[0][:200]
