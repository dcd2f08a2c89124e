"""How the endurance run stops a job whose tasks may just restart, and explains why they did."""

from pathlib import Path
from typing import Any

import pytest
from local_job import StopError
from soak.load import Load
from soak.rows import Rows
from soak.scene import Scene

LOAD = Load(Rows(1, 10, 100), 100, 200, ordered=False)


class Job:
    """A job whose tasks deploy at first, and at which the first attempts to stop it fail."""

    def __init__(self, failed_attempts: int = 0, failures: tuple[str, ...] = ()) -> None:
        self.deploying = 2
        self.failed_attempts = failed_attempts
        self.failures = failures
        self.state = "RUNNING"

    def get(self, path: str = "") -> Any:
        if path.startswith("/exceptions"):
            entries = [{"stacktrace": failure} for failure in self.failures]
            return {"exceptionHistory": {"entries": entries}}
        if path == "/checkpoints":
            return {"counts": {"completed": 3}}
        self.deploying -= 1
        running = 2 if self.deploying < 0 else 1
        vertex = {"status": "RUNNING", "tasks": {"RUNNING": running}, "parallelism": 2}
        return {"state": self.state, "vertices": [vertex]}

    def stop(self, savepoint: Path, drain: bool) -> str:
        assert self.deploying < 0
        if self.failed_attempts > 0:
            self.failed_attempts -= 1
            self.deploying = 2
            raise StopError("a task has not restarted yet")
        self.state = "FINISHED"
        return f"file://{savepoint}/1"


@pytest.fixture
def scene(tmp_path: Path) -> Any:
    # Neither its cluster nor its backend is asked.
    return Scene(tmp_path, LOAD, None, None)  # type: ignore[arg-type]


def test_a_job_is_stopped_once_its_tasks_run_and_again_if_that_failed(scene: Any) -> None:
    scene._running = Job(failed_attempts=2)
    assert scene.stop() == f"file://{scene.directories.savepoints}/1"
    assert [job.checkpoints for job in scene.ended] == [3]


def test_a_job_that_has_failed_is_not_waited_for(scene: Any) -> None:
    scene._running = Job(failures=("java.lang.Exception: broken\n\tat",))
    scene._running.state = "FAILED"
    with pytest.raises(RuntimeError, match="FAILED.*broken"):
        scene.stop()


LOST = "org.apache.flink.runtime.jobmaster.JobMasterException: TaskManager with id 1 is gone\n\tat"
UNKNOWN = "java.lang.IllegalStateException: never seen\n\tat"


@pytest.mark.parametrize(
    ("killed", "unexplained"),
    [(0, [LOST.split("\n")[0], UNKNOWN.split("\n")[0]]), (1, [UNKNOWN.split("\n")[0]])],
)
def test_a_restart_that_was_not_brought_about_is_told(
    scene: Any, killed: int, unexplained: list[str]
) -> None:
    scene._task_managers_killed = killed
    scene._running = Job(failures=("x.Exception: told to fail the task\n\tat", LOST, UNKNOWN))
    scene.stop()
    (ended,) = scene.ended
    assert ended.other_restarts == unexplained
    assert ended.restarts_on_purpose == 3 - len(unexplained)
