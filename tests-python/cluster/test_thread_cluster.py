"""Jobs whose Python functions run inside the TaskManager, on a session cluster set up for that."""

import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from session_cluster import SessionCluster, until

PYTHON = ("-pyexec", sys.executable)

pytestmark = pytest.mark.timeout(400)


def test_jobs_run_one_after_another_and_release_their_classes(
    thread_cluster: SessionCluster,
) -> None:
    for _ in range(6):
        assert "sum: 9900" in thread_cluster.flink_run("bounded.py", *PYTHON)
        assert thread_cluster.workers() == []
    until(lambda: thread_cluster.job_class_loaders() <= 3, "the release of the class loaders")


def test_shipped_dependencies_reach_the_interpreter(
    thread_cluster: SessionCluster, tmp_path: Path
) -> None:
    module = tmp_path / "shipped_module.py"
    module.write_text("NAME = 'module'\n")
    (tmp_path / "shipped_requirement.py").write_text("NAME = 'another module'\n")
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("model.txt", "archive\n")
    output = thread_cluster.flink_run(
        "dependencies.py",
        *PYTHON,
        "-pyfs",
        "%s,%s" % (module, tmp_path / "shipped_requirement.py"),
        "-pyarch",
        "%s#shipped_archive" % archive,
    )
    assert "answer: module another module archive" in output


@pytest.fixture
def endless(thread_cluster: SessionCluster) -> Any:
    """A running job; its id."""
    job = thread_cluster.submit("endless.py", *PYTHON)
    yield job
    thread_cluster.rest("/jobs/%s?mode=cancel" % job, method="PATCH")
    until(lambda: thread_cluster.state(job) in ("CANCELED", "FAILED"), "the job's end")


def test_metrics_and_logs_of_the_function_are_flinks(
    thread_cluster: SessionCluster, endless: str
) -> None:
    until(lambda: thread_cluster.metric(endless, "answer") == [42], "the gauge")
    until(
        lambda: [v for v in thread_cluster.metric(endless, "calls") if v > 10],
        "the counter's growth",
    )
    assert "a warning of the function" in thread_cluster.task_manager_log()
