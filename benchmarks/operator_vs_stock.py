"""What a row costs in the Java operator: ours in batches, beside Flink's ``AsyncWaitOperator``.

JMH drives both in the same way, without a cluster and with a Java function that answers at once
(``benchmarks/jmh``). One run yields two figures: how many times more rows per second the operator
moves in batches of 64, and the nanoseconds that it spends on a row in batches of 512.
"""

import json
import pathlib
import subprocess
import sys
from typing import Dict

from contest import Judgement, Result, report

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_FIGURES = _ROOT / "benchmarks" / "jmh" / "target" / "jmh-result.json"
_TARGET_RATIO = 3.0
_TARGET_NANOS = 300.0


def rates() -> Dict[str, float]:
    """Rows per second of each contender, as JMH measured them just now."""
    _FIGURES.unlink(missing_ok=True)
    subprocess.run(
        ["./mvnw", "-q", "-B", "-Pjmh", "-pl", "benchmarks/jmh", "-am", "process-classes"],
        cwd=_ROOT,
        stdout=sys.stderr,
        check=True,
    )
    runs = json.loads(_FIGURES.read_text(encoding="utf-8"))
    return {run["params"]["batch"]: run["primaryMetric"]["score"] for run in runs}


def main() -> None:
    rate = {name if name == "stock" else f"batch of {name}": rows for name, rows in rates().items()}
    nanos = {name: 1e9 / rows for name, rows in rate.items()}
    ratio = rate["batch of 64"] / rate["stock"]
    cost = nanos["batch of 512"]
    per_row = Result("operator_row_cost", cost, "ns a row", "at most", _TARGET_NANOS, nanos)
    unit = "times stock rows/s"
    rows = Result("operator_vs_stock", ratio, unit, "at least", _TARGET_RATIO, rate)
    report(Judgement([rows, per_row]))


if __name__ == "__main__":
    main()
