"""GPUs that Flink's own plugin reports, though there are none: who gets which, and who waits."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from session_cluster import SessionCluster, until

PYTHON = ("-pyexec", sys.executable)

TORCH = """
from types import SimpleNamespace

CAPS = []
cuda = SimpleNamespace(
    CAPS=CAPS,
    is_available=lambda: True,
    device_count=lambda: 1,
    get_device_properties=lambda device: SimpleNamespace(total_memory=8 * 2**30),
    set_per_process_memory_fraction=lambda fraction, device: CAPS.append([fraction, device]),
)
"""

pytestmark = pytest.mark.timeout(400)


class GpuJobs:
    """Runs jobs that need GPUs."""

    def __init__(self, cluster: SessionCluster, torch: Path) -> None:
        self._cluster = cluster
        self._submitted: list[str] = []
        self._arguments = (*PYTHON, "-pyfs", str(torch))

    def run(self, *program: Any) -> list[dict[str, Any]]:
        """What the workers of a job say about their GPUs."""
        output = self._cluster.flink_run("gpus.py", *self._arguments, program=_texts(program))
        lines = [line for line in output.splitlines() if line.startswith("report: ")]
        return [json.loads(line[len("report: ") :]) for line in lines]

    def submit(self, *program: Any) -> str:
        """The id of a job that runs until it is cancelled."""
        job = self._cluster.submit(
            "gpus.py", *self._arguments, program=[*_texts(program), "endless"]
        )
        self._submitted.append(job)
        return job

    def cancel(self, job: str) -> None:
        self._submitted.remove(job)
        self._cluster.rest("/jobs/%s?mode=cancel" % job, method="PATCH")
        until(lambda: self._cluster.state(job) in ("CANCELED", "FAILED"), "the job's end")

    def cancel_all(self) -> None:
        for job in list(self._submitted):
            self.cancel(job)

    def subtasks(self, job: str, state: str) -> int:
        """How many subtasks of a job are in a state."""
        vertices = self._cluster.rest("/jobs/%s" % job)["vertices"]
        return sum(vertex["tasks"][state] for vertex in vertices)

    def leases(self) -> list[dict[str, Any]]:
        """What all workers have."""
        files = self._cluster.temporary.glob("async-batch-gpus-*/*.lease")
        return [json.loads(file.read_text()) for file in files]

    def devices(self) -> list[dict[str, int]]:
        """Hundredths of the devices that each worker has."""
        return sorted((lease["devices"] for lease in self.leases()), key=str)


def _texts(program: tuple[Any, ...]) -> list[str]:
    return [str(argument) for argument in program]


@pytest.fixture
def jobs(gpu_cluster: SessionCluster, tmp_path: Path) -> Iterator[GpuJobs]:
    module = tmp_path / "torch.py"
    module.write_text(TORCH)
    jobs = GpuJobs(gpu_cluster, module)
    yield jobs
    jobs.cancel_all()


def until_equal(read: Callable[[], Any], expected: Any) -> None:
    """Waits for a value; what it was instead is in the failure."""
    try:
        until(lambda: read() == expected, "the change")
    except TimeoutError:
        assert read() == expected


def test_two_halves_share_one_device_and_its_memory(
    gpu_cluster: SessionCluster, jobs: GpuJobs
) -> None:
    reports = jobs.run(0.5, 2, 400)
    assert [report["subtask"] for report in reports] == [0, 1]
    assert {report["CUDA_VISIBLE_DEVICES"] for report in reports} == {"3"}
    assert {report["CUDA_DEVICE_ORDER"] for report in reports} == {"PCI_BUS_ID"}
    assert {report["PYFLINK_ASYNC_BATCH_GPUS"] for report in reports} == {"0.5"}
    assert [report["caps"] for report in reports] == [[[0.5, 0]]] * 2
    assert [report["left"] for report in reports] == [[], []]
    assert list(gpu_cluster.temporary.glob("async-batch-gpus-*")) == []


def test_one_worker_may_have_several_devices(jobs: GpuJobs) -> None:
    (report,) = jobs.run(2, 1, 10)
    assert report["CUDA_VISIBLE_DEVICES"] == "3,7"
    assert report["caps"] == []


def test_a_third_half_waits_for_one_of_two_others(jobs: GpuJobs) -> None:
    whole = jobs.submit(1, 1)
    until_equal(jobs.devices, [{"3": 100}])
    halves = jobs.submit(0.5, 2)
    until_equal(jobs.devices, [{"3": 100}, {"7": 50}, {"7": 50}])
    third = jobs.submit(0.5, 1)
    until_equal(lambda: jobs.subtasks(third, "SCHEDULED"), 2)
    jobs.cancel(halves)
    until_equal(jobs.devices, [{"3": 100}, {"7": 50}])
    until_equal(lambda: jobs.subtasks(third, "RUNNING"), 2)
    jobs.cancel(third)
    jobs.cancel(whole)
    assert jobs.devices() == []


def test_what_no_single_device_has_is_waited_for_and_its_holders_are_named(jobs: GpuJobs) -> None:
    two = jobs.submit(0.6, 2)
    until_equal(jobs.devices, [{"3": 60}, {"7": 60}])
    # Flink finds 0.8 of 2 left, and has the task start.
    with pytest.raises(AssertionError, match="did not connect within open_timeout") as failure:
        jobs.run(0.7, 1, 10, 20)
    assert "Waiting for 0.7 of the GPUs 3, 7:" in str(failure.value)
    for device in "37":
        assert "of GPU %s, 0.6 has job 'endless' (%s)" % (device, two) in str(failure.value)
    jobs.cancel(two)


def test_a_task_manager_that_is_killed_leaves_no_lease(
    gpu_cluster: SessionCluster, jobs: GpuJobs
) -> None:
    job = jobs.submit(0.5, 2)
    until_equal(jobs.devices, [{"3": 50}, {"3": 50}])
    os.kill(gpu_cluster.task_manager(), signal.SIGKILL)
    until(
        lambda: list(gpu_cluster.temporary.glob("async-batch-gpus-*")) == [], "the leases' removal"
    )
    jobs.cancel(job)
