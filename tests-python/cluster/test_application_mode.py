"""A cluster that is there for one job, whose program runs in the JobManager."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from session_cluster import FLINK_HOME, JOBS, SessionCluster, lib_with_pyflink

WAIT_SECONDS = 180

pytestmark = pytest.mark.timeout(2 * WAIT_SECONDS)


class Application(SessionCluster):
    """A TaskManager that waits for the JobManager of an application."""

    def run(self, job_class: str, *arguments: str) -> str:
        """Gives what the application printed, once it has ended and its JobManager with it."""
        script = str(FLINK_HOME / "bin" / "standalone-job.sh")
        done = subprocess.run(
            [script, "start-foreground", "--job-classname", job_class, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=WAIT_SECONDS,
            check=False,
        )
        output = done.stdout.decode("utf-8", "replace")
        assert done.returncode == 0, output
        return output


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Application]:
    options = [
        "python.executable: " + sys.executable,
        "python.client.executable: " + sys.executable,
    ]
    application = Application(tmp_path, options=options)
    # The JobManager runs PyFlink's driver, which pip's Flink has in opt.
    application.environment["FLINK_LIB_DIR"] = str(lib_with_pyflink(tmp_path))
    try:
        application.start_task_manager()
        yield application
    finally:
        application.script("taskmanager.sh", "stop-all")


def test_a_program_in_python(application: Application) -> None:
    driver = "org.apache.flink.client.python.PythonDriver"
    assert "sum: 9900" in application.run(driver, "-py", str(JOBS / "bounded.py"))


def test_a_program_in_java(application: Application, java_job: Path) -> None:
    # Where Flink looks for the jars of an application: beside its own.
    user_lib = application.directory / "usrlib"
    user_lib.mkdir()
    shutil.copy(java_job, user_lib)
    assert "sum of squares: 328350" in application.run("SumOfSquares")
