"""What a worker does about its GPUs before it runs anything else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pyflink_async_batch._worker import gpu_share
from pyflink_async_batch._worker.gpu_leases import LeaseDirectory

REPORT = """
import os, sys
from pyflink_async_batch._worker import gpu_share
gpu_share.take_from_environment()
mine = ("CUDA_", "_ASYNC_BATCH", "PYFLINK_ASYNC_BATCH")
print(sorted(item for item in os.environ.items() if item[0].startswith(mine)))
print(len(sys.meta_path))
"""


def variables(directory: Path, **changes: str) -> dict[str, str]:
    wanted = {
        "_ASYNC_BATCH_GPU_LEASE": str(directory / "leases" / "mine"),
        "_ASYNC_BATCH_GPU_DEVICES": "2,10",
        "_ASYNC_BATCH_GPU_HUNDREDTHS": "25",
        "_ASYNC_BATCH_GPU_HOLDER": "job 'a', task (1/2)",
    }
    return {**os.environ, "CUDA_VISIBLE_DEVICES": "9", **wanted, **changes}


def report(environment: dict[str, str]) -> tuple[str, int]:
    """The variables of a worker, and how many finders of modules it has."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT], env=environment, stdout=subprocess.PIPE, check=True
    )
    found, finders = done.stdout.decode().splitlines()
    return found, int(finders)


def test_the_worker_sees_only_its_device(tmp_path: Path) -> None:
    found, _ = report(variables(tmp_path))
    assert found == str(
        [
            ("CUDA_DEVICE_ORDER", "PCI_BUS_ID"),
            ("CUDA_VISIBLE_DEVICES", "2"),
            ("PYFLINK_ASYNC_BATCH_GPUS", "0.25"),
        ]
    )


def test_whole_devices_have_no_cap_but_one_that_was_given(tmp_path: Path) -> None:
    whole, finders = report(variables(tmp_path, _ASYNC_BATCH_GPU_HUNDREDTHS="200"))
    assert "('CUDA_VISIBLE_DEVICES', '2,10')" in whole
    assert "('PYFLINK_ASYNC_BATCH_GPUS', '2')" in whole
    _, with_cap = report(variables(tmp_path))
    assert with_cap == finders + 1
    given, with_bytes = report(
        variables(tmp_path, _ASYNC_BATCH_GPU_HUNDREDTHS="100", _ASYNC_BATCH_GPU_MEMORY="8589934592")
    )
    assert with_bytes == finders + 1
    assert "('PYFLINK_ASYNC_BATCH_GPU_MEMORY_BYTES', '8589934592')" in given


def test_a_worker_without_gpus_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "9")
    monkeypatch.delenv("_ASYNC_BATCH_GPU_LEASE", raising=False)
    before = dict(os.environ)
    gpu_share.take_from_environment()
    assert dict(os.environ) == before


def test_a_worker_that_waits_says_for_whom(tmp_path: Path) -> None:
    others = LeaseDirectory(str(tmp_path / "leases"))
    first = others.take("first", 80, ["2", "10"], "job 'b', process 7")
    second = others.take("second", 100, ["2", "10"], "job 'c', process 8")
    assert first is not None
    assert second is not None
    worker = subprocess.Popen(
        [sys.executable, "-c", REPORT],
        env=variables(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert worker.stderr is not None
    said = b"".join(worker.stderr.readline() for _ in range(3)).decode()
    assert said == (
        "Waiting for 0.25 of the GPUs 2, 10:\n"
        "  of GPU 2, 0.8 has job 'b', process 7\n"
        "  of GPU 10, 1 has job 'c', process 8\n"
    )
    second.release()
    out, _ = worker.communicate()
    assert b"('CUDA_VISIBLE_DEVICES', '10')" in out
    first.release()
