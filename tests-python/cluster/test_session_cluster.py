"""Jobs on a standalone session cluster, as users submit them."""

import os
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import (
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
)
from session_cluster import SessionCluster, until

PYTHON = ("-pyexec", sys.executable)

pytestmark = pytest.mark.timeout(400)


def test_a_submitted_job_runs(cluster: SessionCluster) -> None:
    assert "sum: 9900" in cluster.flink_run("bounded.py", *PYTHON)


def test_shipped_dependencies_reach_the_worker(cluster: SessionCluster, tmp_path: Path) -> None:
    module = tmp_path / "shipped_module.py"
    module.write_text("NAME = 'module'\n")
    archive = tmp_path / "archive.zip"
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("model.txt", "archive\n")
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("%s\n" % _wheel(tmp_path))

    output = cluster.flink_run(
        "dependencies.py",
        *PYTHON,
        "-pyfs",
        str(module),
        "-pyarch",
        "%s#shipped_archive" % archive,
        "-pyreq",
        str(requirements),
    )

    assert "answer: module requirement archive" in output


def test_the_wheel_itself_can_be_shipped(cluster: SessionCluster) -> None:
    (wheel,) = (Path(__file__).resolve().parents[2] / "dist").glob("pyflink_async_batch-*.whl")
    output = cluster.flink_run("origin.py", *PYTHON, "-pyfs", str(wheel))
    (origin,) = [line for line in output.splitlines() if line.startswith("origin:")]
    assert wheel.name in origin


def _wheel(directory: Path) -> Path:
    """A wheel with one module, made without any build tool."""
    wheel = directory / "shipped_requirement-1.0-py3-none-any.whl"
    info = "shipped_requirement-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as files:
        files.writestr("shipped_requirement.py", "NAME = 'requirement'\n")
        files.writestr(
            info + "/METADATA", "Metadata-Version: 2.1\nName: shipped-requirement\nVersion: 1.0\n"
        )
        files.writestr(
            info + "/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        files.writestr(info + "/RECORD", "")
    return wheel


@pytest.fixture
def endless(cluster: SessionCluster) -> Any:
    """A running job; its id."""
    yield from _running(cluster, cluster.submit("endless.py", *PYTHON))


@pytest.fixture
def shared(cluster: SessionCluster) -> Any:
    """A running job of two subtasks that share a worker; its id."""
    yield from _running(
        cluster, cluster.submit("endless.py", "-p", "2", *PYTHON, program=["shared"])
    )


def _running(cluster: SessionCluster, job: str) -> Iterator[str]:
    until(lambda: cluster.state(job) == "RUNNING" and _all_running(cluster, job), "the job's start")
    yield job
    if cluster.state(job) == "RUNNING":
        cluster.rest("/jobs/%s?mode=cancel" % job, method="PATCH")
        until(lambda: cluster.state(job) in ("CANCELED", "FAILED"), "the job's end")


def _all_running(cluster: SessionCluster, job: str) -> bool:
    vertices = cluster.rest("/jobs/%s" % job)["vertices"]
    return all(vertex["status"] == "RUNNING" for vertex in vertices)


def test_what_the_function_logs_and_prints_is_in_the_log_of_the_task_manager(
    cluster: SessionCluster, endless: str
) -> None:
    lines = until(
        lambda: [
            line for line in cluster.task_manager_log().splitlines() if "the function" in line
        ],
        "the worker's first log record",
    )
    assert any(" WARN " in line and "a warning of the function" in line for line in lines)
    until(
        lambda: "a line that the function printed" in cluster.task_manager_log(), "the printed line"
    )


def test_metrics_of_the_function_and_of_the_operator_are_metrics_of_flink(
    cluster: SessionCluster, endless: str
) -> None:
    until(lambda: cluster.metric(endless, "answer") == [42], "the gauge")
    until(lambda: [v for v in cluster.metric(endless, "calls") if v > 10], "the counter's growth")
    until(lambda: cluster.metric(endless, "inflightBatches") == [10], "the operator's gauge")
    until(
        lambda: [v for v in cluster.metric(endless, "totalBatchesProcessed") if v > 0],
        "the operator's counter",
    )


def test_thread_mode_is_refused_where_jobs_bring_pemja_themselves(cluster: SessionCluster) -> None:
    with pytest.raises(
        AssertionError, match="'classloader.parent-first-patterns.additional: pemja"
    ):
        cluster.flink_run("bounded.py", *PYTHON, program=["python.execution-mode=thread"])


def test_nothing_listens_on_another_address_than_loopback(
    cluster: SessionCluster, endless: str
) -> None:
    (worker,) = cluster.workers()
    assert _listening(worker) == []
    addresses = _listening(cluster.task_manager())
    assert addresses
    assert [a for a in addresses if not a.startswith("127.")] == []


def _listening(pid: int) -> list[str]:
    """The addresses on which a process listens for TCP connections."""
    inodes = set()
    for descriptor in os.listdir("/proc/%d/fd" % pid):
        try:
            target = os.readlink("/proc/%d/fd/%s" % (pid, descriptor))
        except OSError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[len("socket:[") : -1])
    addresses = []
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path("/proc/%d/net/%s" % (pid, table)).read_text().splitlines()[1:]:
            fields = line.split()
            listening = fields[3] == "0A"
            if listening and fields[9] in inodes:
                addresses.append(_address(fields[1].split(":")[0], family))
    return addresses


def _address(hexadecimal: str, family: int) -> str:
    """The kernel prints each 32-bit word of an address in the machine's byte order."""
    raw = b"".join(
        bytes.fromhex(hexadecimal[i : i + 8])[::-1] for i in range(0, len(hexadecimal), 8)
    )
    mapped = b"\0" * 10 + b"\xff\xff"
    if family == socket.AF_INET6 and raw.startswith(mapped):
        return socket.inet_ntop(socket.AF_INET, raw[len(mapped) :])
    return socket.inet_ntop(family, raw)


def test_a_stranger_is_refused(cluster: SessionCluster, endless: str) -> None:
    (worker,) = cluster.workers()
    arguments = Path("/proc/%d/cmdline" % worker).read_bytes().decode().split("\0")
    (endpoint,) = [
        argument.split("=", 1)[1]
        for argument in arguments
        if argument.startswith("--provision_endpoint=")
    ]
    (worker_id,) = [a.split("=", 1)[1] for a in arguments if a.startswith("--id=")]
    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as refused:
            stub.GetProvisionInfo(
                beam_provision_api_pb2.GetProvisionInfoRequest(),
                metadata=[("worker_id", worker_id), ("async-batch-secret", "guessed")],
                timeout=30,
            )
    assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_the_secrets_are_not_in_the_workers_arguments(
    cluster: SessionCluster, endless: str
) -> None:
    (worker,) = cluster.workers()
    arguments = Path("/proc/%d/cmdline" % worker).read_bytes().decode()
    variables = Path("/proc/%d/environ" % worker).read_bytes().decode().split("\0")
    secrets = [v.split("=", 1)[1] for v in variables if v.startswith("_ASYNC_BATCH_")]
    assert secrets
    assert not any(secret in arguments for secret in secrets)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_cannot_look_into_a_worker(cluster: SessionCluster, endless: str) -> None:
    (worker,) = cluster.workers()
    for name, look in (("environ", "cat"), ("maps", "cat"), ("fd", "ls")):
        command = [look, "/proc/%d/%s" % (worker, name)]
        assert subprocess.run(command, capture_output=True).stdout
        refused = subprocess.run(command, capture_output=True, text=True, user=65534)
        assert refused.returncode != 0
        assert refused.stdout == ""
        assert "Permission denied" in refused.stderr


def test_metrics_of_a_shared_worker_are_counted_once(cluster: SessionCluster, shared: str) -> None:
    until(lambda: cluster.metric(shared, "answer", "sum") == [42], "the gauge")
    limit = "sharedMemoryLimitBytes"
    until(lambda: cluster.metric(shared, limit, "sum") == [256 * 1024 * 1024], "the gauge")
    assert cluster.metric(shared, limit, "min") == [0]


def test_a_killed_worker_fails_its_job_with_its_exit_status(
    cluster: SessionCluster, endless: str
) -> None:
    (worker,) = cluster.workers()
    assert _files(cluster)
    assert _threads(cluster)
    os.kill(worker, signal.SIGKILL)
    until(lambda: cluster.state(endless) == "FAILED", "the job's failure")
    failure = cluster.rest("/jobs/%s/exceptions" % endless)["exceptionHistory"]["entries"][0]
    assert "PythonWorkerDiedException" in failure["stacktrace"]
    assert "exit status 137 (killed by signal 9)" in failure["stacktrace"]
    assert "WARNING root: a warning of the function" in failure["stacktrace"]
    until(lambda: _left_behind(cluster) == [], "the clean-up")


@pytest.mark.parametrize("stop", [None, signal.SIGSTOP], ids=["running", "frozen"])
def test_cancelling_a_job_leaves_nothing_behind(
    cluster: SessionCluster, endless: str, stop: Any
) -> None:
    (worker,) = cluster.workers()
    if stop is not None:
        os.kill(worker, stop)
    cluster.rest("/jobs/%s?mode=cancel" % endless, method="PATCH")
    until(lambda: cluster.state(endless) == "CANCELED", "the cancellation")
    assert cluster.workers() == []
    assert not Path("/proc/%d" % worker).exists()
    until(lambda: _left_behind(cluster) == [], "the clean-up")


def _files(cluster: SessionCluster) -> list[str]:
    """Files of workers that are still there."""
    return [
        str(path)
        for pattern in ("async-batch-*", "python-dist-*")
        for path in cluster.temporary.glob("**/" + pattern)
    ]


def _threads(cluster: SessionCluster) -> list[str]:
    """Threads of workers that are still there."""
    return [
        comm
        for task in Path("/proc/%d/task" % cluster.task_manager()).iterdir()
        for comm in [_thread_name(task)]
        if comm.startswith("python-worker")
    ]


def _left_behind(cluster: SessionCluster) -> list[str]:
    return _files(cluster) + _threads(cluster)


def _thread_name(task: Path) -> str:
    try:
        return (task / "comm").read_text().strip()
    except OSError:
        return ""


def test_finished_jobs_release_their_classes(cluster: SessionCluster) -> None:
    """Each job loads its classes anew, tens of megabytes of a TaskManager's 256 of metaspace."""
    for worker in 3 * ["own", "shared"]:
        cluster.flink_run("bounded.py", *PYTHON, program=["worker=%s" % worker])

    # The JVM itself keeps some of the last: caches that hold what they saw last, such as that of
    # the records' methods, and compiled code of threads that wait in it. That does not add up.
    until(lambda: cluster.job_class_loaders() <= 3, "the release of the jobs' class loaders")


def test_a_shared_worker_goes_with_its_task_manager(cluster: SessionCluster, shared: str) -> None:
    (worker,) = cluster.workers()
    os.kill(cluster.task_manager(), signal.SIGKILL)
    until(lambda: not Path("/proc/%d" % worker).exists(), "the worker's end")
    until(lambda: _files(cluster) == [], "the clean-up")
    cluster.start_task_manager()


def test_a_task_manager_that_is_killed_leaves_nothing_behind(
    cluster: SessionCluster, endless: str
) -> None:
    (worker,) = cluster.workers()
    shared = _shared_files(worker)
    assert len(shared) == 2
    # No other name leads to the memory, so it goes with the last process that maps it.
    assert all(path.startswith("/memfd:async-batch-") for path in shared)
    assert _shared_files(cluster.task_manager()) == shared
    os.kill(cluster.task_manager(), signal.SIGKILL)
    until(lambda: not Path("/proc/%d" % worker).exists(), "the worker's end")
    until(lambda: _files(cluster) == [], "the clean-up")


def _shared_files(process: int) -> set[str]:
    lines = Path("/proc/%d/maps" % process).read_text().splitlines()
    return {line.split(maxsplit=5)[5] for line in lines if "async-batch" in line}
