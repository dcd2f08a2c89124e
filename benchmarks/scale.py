"""What becomes of a thousand subtasks that ask for 100,000 rows a second together.

``make scale`` measures what a subtask costs on this machine (``subtask_cost.py``), has up to 1,024
of them share up to 32 simulated model servers in virtual time (``benchmarks/overload``, the
operator's own limits), writes ``scale.json`` beside this file and the tables in ``docs/scale.md``.
"""

import json
import pathlib
import subprocess
import sys
from typing import Any

import scale_table

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_CLASSES = [
    _ROOT / "benchmarks" / "overload" / "target" / "classes",
    _ROOT / "flink-python-async-batch-java" / "target" / "classes",
]
_MAIN = "io.asyncbatch.flink.benchmark.overload.ScaleBenchmark"


def main() -> None:
    simulate = ["java", "-XX:+UseSerialGC", "-cp", ":".join(map(str, _CLASSES)), _MAIN]
    measure = [sys.executable, str(pathlib.Path(__file__).with_name("subtask_cost.py"))]
    held = {"subtask": _run(measure), "fleets": _run(simulate)}
    scale_table.RESULTS_JSON.write_text(json.dumps(held, indent=2) + "\n", encoding="utf-8")
    scale_table.write_page()
    for text in scale_table.sections().values():
        print(text, end="\n\n")


def _run(command: "list[str]") -> Any:
    # What was measured is the last line: Flink may print before it.
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(printed.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
