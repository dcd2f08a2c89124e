"""What is asked of a cluster by its own command line: submit, save, restore, go on after a loss."""

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from session_cluster import SessionCluster, until

ROWS = 1000
CAPACITY = 4
PYTHON = ("-pyexec", sys.executable, "-p", "4")

pytestmark = pytest.mark.timeout(400)


def test_a_job_in_java_runs(large_cluster: SessionCluster, java_job: Path) -> None:
    output = large_cluster.flink("run", "-p", "4", "-c", "SumOfSquares", str(java_job))
    assert "sum of squares: 328350" in output


def test_rows_leave_once_over_a_savepoint_and_the_loss_of_a_task_manager(
    large_cluster: SessionCluster, tmp_path: Path
) -> None:
    results, gate = tmp_path / "results", tmp_path / "gate"
    program = [results.as_uri(), str(gate)]
    savepoints = (tmp_path / "savepoints").as_uri()

    first = large_cluster.submit("counted.py", *PYTHON, program=program)
    _await_full(large_cluster, first)
    # With every call under way: none of them ends before the file is there.
    taken = _path(large_cluster.flink("savepoint", first, savepoints))
    stopped = _path(large_cluster.flink("stop", "--savepointPath", savepoints, first))
    assert taken != stopped
    until(lambda: large_cluster.state(first) == "FINISHED", "the job's stop")
    assert len(_written(results)) < ROWS

    second = large_cluster.submit("counted.py", "-s", stopped, *PYTHON, program=program)
    _await_full(large_cluster, second)
    restored = _restored(large_cluster, second)
    assert restored["is_savepoint"]
    assert restored["external_path"] == stopped
    before = _completed(large_cluster, second)
    until(lambda: _completed(large_cluster, second) > before, "a checkpoint")

    os.kill(large_cluster.task_manager(), signal.SIGKILL)
    until(lambda: not large_cluster.is_complete(), "the notice of the loss")
    large_cluster.start_task_manager()
    large_cluster.await_task_managers()
    until(lambda: not _restored(large_cluster, second)["is_savepoint"], "the job's restart")
    _await_full(large_cluster, second)

    gate.touch()
    until(lambda: large_cluster.state(second) == "FINISHED", "the job's end")
    assert sorted(_written(results)) == list(range(ROWS))


def _await_full(cluster: SessionCluster, job: str) -> None:
    until(
        lambda: cluster.metric(job, "inflightBatches", "min") == [CAPACITY],
        "as many calls as may be in flight, in every subtask",
    )


def _restored(cluster: SessionCluster, job: str) -> dict[str, Any]:
    """The snapshot that the job went on from last."""
    return dict(cluster.rest("/jobs/%s/checkpoints" % job)["latest"]["restored"])


def _path(output: str) -> str:
    (path,) = re.findall(r"Savepoint completed\. Path: (\S+)", output)
    return str(path)


def _completed(cluster: SessionCluster, job: str) -> int:
    return int(cluster.rest("/jobs/%s/checkpoints" % job)["counts"]["completed"])


def _written(results: Path) -> list[int]:
    """What has been committed: other files have names that begin with a dot."""
    files = [path for path in results.rglob("part-*") if not path.name.startswith(".")]
    return [int(line) for path in files for line in path.read_text().split()]
