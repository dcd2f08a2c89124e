"""Runs the benchmarks; writes ``results.json``, ``results.md`` and the plots beside this file.

``python benchmarks/run.py`` runs all of them and brings the tables in ``docs/performance.md`` up to
date; names on the command line choose some, the lines of the others then stay as they are. The exit
status tells whether every target was met.
"""

import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
from importlib import metadata
from typing import Any, Dict, List, Mapping

import results_table
from contest import Result, judgement_of
from noop import PEERS_PYTHON

_HERE = pathlib.Path(__file__).resolve().parent
_BENCHMARKS = [
    "noop",
    "model_vs_ideal",
    "large",
    "latency",
    "checkpoint_vs_stock",
    "operator_vs_stock",
    "control_cost",
    "sidecar",
    "ml_predict",
    "sweep",
]
_MEMORY_UNIT = 2**30


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(_BENCHMARKS))
    names = parser.parse_args().names or _BENCHMARKS
    unknown = sorted(set(names) - set(_BENCHMARKS))
    if unknown:
        parser.error(f"no benchmark named {', '.join(unknown)}; there are {', '.join(_BENCHMARKS)}")
    lines = _lines_before() if names != _BENCHMARKS else {}
    not_measured: Dict[str, str] = {
        who: why
        for who, why in lines.pop(results_table.RUN, {}).get("not_measured", {}).items()
        if who.split(",")[0] not in names
    }
    results: List[Result] = []
    for name in names:
        print(f"== {name}", flush=True)
        judgement = judgement_of([str(_HERE / f"{name}.py")])
        results.extend(judgement.results)
        not_measured.update({f"{name}, {who}": why for who, why in judgement.not_measured.items()})
    lines.update({result.name: result.as_json() for result in results})
    lines = {results_table.RUN: _run(not_measured), **lines}
    _write(lines)
    print(results_table.results(lines))
    print(results_table.where(lines[results_table.RUN]))
    return 0 if all(result.met for result in results) else 1


def _lines_before() -> Dict[str, Any]:
    path = results_table.RESULTS_JSON
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def _write(lines: Mapping[str, Any]) -> None:
    results_table.RESULTS_JSON.write_text(json.dumps(lines, indent=2) + "\n", encoding="utf-8")
    curves = json.loads(results_table.SWEEP_JSON.read_text(encoding="utf-8"))
    sections = results_table.sections(lines, curves)
    (_HERE / "results.md").write_text(
        "# Benchmarks\n\nHow each is measured: [docs/performance.md](../docs/performance.md).\n\n"
        + "\n\n".join(sections.values())
        + "\n",
        encoding="utf-8",
    )
    page = results_table.PAGE.read_text(encoding="utf-8")
    for name, text in sections.items():
        page = results_table.with_section(page, name, text)
    results_table.PAGE.write_text(page, encoding="utf-8")
    subprocess.run([sys.executable, str(_HERE / "plots.py")], check=True)


def _run(not_measured: Mapping[str, str]) -> Dict[str, Any]:
    peers = PEERS_PYTHON.exists()
    versions = {
        "Python": platform.python_version(),
        "Java": _java_version(),
        "Flink": metadata.version("apache-flink"),
        "pyarrow": metadata.version("pyarrow"),
        "pyflink-async-batch": metadata.version("pyflink-async-batch"),
    }
    if peers:
        versions["Ray"] = _version_of_ray()
    return {
        "command": "make bench-peers" if peers else "make bench",
        "machine": _machine(),
        "versions": versions,
        "not_measured": dict(not_measured),
    }


def _machine() -> str:
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / _MEMORY_UNIT
    return f"{os.cpu_count()} cores ({_processor()}), {memory:.0f} GiB, {platform.system()}"


def _processor() -> str:
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def _java_version() -> str:
    java = (
        pathlib.Path(os.environ["JAVA_HOME"]) / "bin" / "java"
        if "JAVA_HOME" in os.environ
        else "java"
    )
    told = subprocess.run([str(java), "-version"], capture_output=True, text=True, check=True)
    return told.stderr.split('"')[1]


def _version_of_ray() -> str:
    ask = "from importlib import metadata; print(metadata.version('ray'))"
    told = subprocess.run(
        [str(PEERS_PYTHON), "-c", ask], capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
