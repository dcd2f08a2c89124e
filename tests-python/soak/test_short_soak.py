"""
The endurance run in short: every kind of fault once, the same code and the same checks. It wants
minutes and 5 GB of memory for its cluster, so 'make soak-short' runs it and 'make test' does not.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from soak import plan

# A minute or two on two cores of its own.
HANG_SECONDS = 900
END_SECONDS = 300
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.mark.skipif("ASYNC_BATCH_SOAK" not in os.environ, reason="'make soak-short' runs it")
@pytest.mark.timeout(HANG_SECONDS + END_SECONDS + 30)
def test_a_job_comes_through_faults_of_every_kind(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "soak", "--seed", "1", "--seconds", "0"),
        *("--most-seconds-between-faults", "0.2"),
        # What is compiled and loaded in the first minute is more than what leaks in it.
        *("--most-growth", "0.3"),
        *("--output", str(tmp_path / "endurance")),
    ]
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS)}
    run = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        output, _ = run.communicate(timeout=HANG_SECONDS)
    finally:
        if run.poll() is None:
            # It then stops its cluster, by scripts that start JVMs.
            run.send_signal(signal.SIGINT)
            run.wait(END_SECONDS)
    assert run.returncode == 0, output
    report = json.loads((tmp_path / "endurance.json").read_text())
    assert report["passed"]
    assert set(report["happened"]) == {*plan.FAULTS, *plan.MOVES}
    for check in report["checks"]:
        assert f"| {check['name']} " in (tmp_path / "endurance.md").read_text()
