"""What a limit, a circuit breaker and a retry budget cost, as a share of a no-op batch.

JMH drives the operator with a Java function that answers at once (``benchmarks/jmh``), in batches
of 256 as the no-op benchmark has them, with all of the control and without any. What a batch takes
longer with it is divided by what a batch takes in the no-op job of the same run, Python and all.
"""

import json
import pathlib
import statistics
import subprocess
import sys
from typing import Dict, Mapping

from contest import Judgement, Result, measured_by, report

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_FIGURES = _ROOT / "benchmarks" / "jmh" / "target" / "jmh-result.json"
_BATCH = 256
_ROUNDS = 3
_TARGET = 0.01


def nanos_of_a_batch() -> Dict[str, float]:
    """Of each kind of control, as JMH measured it just now."""
    _FIGURES.unlink(missing_ok=True)
    arguments = (
        f"-foe true -rf json -rff {_FIGURES} -p batch={_BATCH} "
        f"-p control=NONE,FIXED,ADAPTIVE -f {_ROUNDS} OperatorBenchmark"
    )
    subprocess.run(
        [
            *("./mvnw", "-q", "-B", "-Pjmh", "-pl", "benchmarks/jmh", "-am", "process-classes"),
            f"-Djmh.args={arguments}",
        ],
        cwd=_ROOT,
        stdout=sys.stderr,
        check=True,
    )
    runs = json.loads(_FIGURES.read_text(encoding="utf-8"))
    return {
        run["params"]["control"].lower(): _BATCH * 1e9 / run["primaryMetric"]["score"]
        for run in runs
    }


def judge(operator: Mapping[str, float], noop_rows_per_second: float) -> Result:
    noop = _BATCH * 1e9 / noop_rows_per_second
    dearest = max(operator["fixed"], operator["adaptive"]) - operator["none"]
    measured = {f"operator, {what}, ns": nanos for what, nanos in operator.items()}
    unit = "of a no-op batch"
    return Result(
        "control_cost", dearest / noop, unit, "at most", _TARGET, {**measured, "no-op, ns": noop}
    )


def main() -> None:
    script = str(_ROOT / "benchmarks" / "noop.py")
    noop = statistics.median(
        measured_by([script, "--contender", "batched"])["figure"] for _ in range(_ROUNDS)
    )
    report(Judgement([judge(nanos_of_a_batch(), noop)]))


if __name__ == "__main__":
    main()
