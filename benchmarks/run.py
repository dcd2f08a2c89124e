"""Runs the benchmarks and writes ``results.json`` and ``results.md`` beside this file.

``python benchmarks/run.py`` runs all of them; names on the command line choose some. The exit
status tells whether every target was met.
"""

import argparse
import json
import os
import pathlib
import platform
import sys
from typing import List

from contest import Result, measured_by

_HERE = pathlib.Path(__file__).resolve().parent
_BENCHMARKS = ["noop_vs_stock", "model_vs_ideal", "checkpoint_vs_stock", "operator_vs_stock"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(_BENCHMARKS))
    names = parser.parse_args().names or _BENCHMARKS
    unknown = sorted(set(names) - set(_BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(_BENCHMARKS)}")
    results: List[Result] = []
    for name in names:
        print(f"== {name}", flush=True)
        lines = measured_by([str(_HERE / f"{name}.py")])
        results.extend(Result(**line) for line in lines)
    if names == _BENCHMARKS:
        _write(results)
    print(_table(results))
    return 0 if all(result.met for result in results) else 1


def _write(results: List[Result]) -> None:
    lines = {result.name: result.as_json() for result in results}
    (_HERE / "results.json").write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    (_HERE / "results.md").write_text(
        f"# Benchmarks\n\nWritten by `make bench` on {machine}; medians of alternating rounds,\n"
        "all contenders in the same run; means of JMH's iterations where the operator is alone.\n\n"
        f"{_table(results)}\n",
        encoding="utf-8",
    )


def _table(results: List[Result]) -> str:
    rows = ["| benchmark | value | target | met | measured |", "|---|---|---|---|---|"]
    for result in results:
        measured = ", ".join(f"{name} {figure:,.0f}" for name, figure in result.measured.items())
        rows.append(
            f"| `{result.name}` | {result.value:,.3g} {result.unit} | {result.target:g} "
            f"| {'yes' if result.met else 'no'} | {measured} |"
        )
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
