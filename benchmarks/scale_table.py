"""The Markdown that shows what ``scale.json`` holds, in ``docs/scale.md``.

Imports nothing but the standard library, so that a test can hold the page to the figures.
"""

import json
import pathlib
from typing import Any, Dict, List, Mapping

import results_table

_ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS_JSON = _ROOT / "benchmarks" / "scale.json"
PAGE = _ROOT / "docs" / "scale.md"

_SUBTASKS = 1_000
_TASK_MANAGERS = 250
_ROWS_PER_SECOND = 100_000
_BATCH_SIZE = 64
_CALL_SECONDS = 0.33


def sections() -> Dict[str, str]:
    """What stands between the marks of the page, by the marks' names."""
    held = json.loads(RESULTS_JSON.read_text(encoding="utf-8"))
    return {
        "subtask": subtask(held["subtask"]),
        "thousand": thousand(held["subtask"]),
        "fleets": fleets(held["fleets"]),
    }


def subtask(costs: Mapping[str, float]) -> str:
    """What one subtask and one row cost."""
    return "\n".join(
        [
            "| what | own worker | shared worker |",
            "|---|---|---|",
            f"| memory of the worker without a model | {costs['worker_mib']:.0f} MiB a subtask "
            f"| {costs['shared_worker_mib']:.0f} MiB a TaskManager |",
            f"| threads of the JVM | {costs['jvm_threads']:.0f} "
            f"| {costs['shared_jvm_threads']:.0f} |",
            f"| file descriptors of the JVM | {costs['jvm_descriptors']:.0f} "
            f"| {costs['shared_jvm_descriptors']:.0f} |",
            f"| checkpoint, a row of 8 bytes in flight | {costs['state_bytes_of_8']:.0f} bytes "
            "| the same |",
            f"| checkpoint, a row of 1,000 bytes in flight "
            f"| {costs['state_bytes_of_1000']:,.0f} bytes | the same |",
        ]
    )


def thousand(costs: Mapping[str, float]) -> str:
    """The same for a fleet, by arithmetic."""
    in_flight = _ROWS_PER_SECOND * _CALL_SECONDS
    state = in_flight * costs["state_bytes_of_1000"] / 2**20
    per_manager = _SUBTASKS // _TASK_MANAGERS
    return "\n".join(
        [
            f"| {_SUBTASKS:,} subtasks, {_TASK_MANAGERS} TaskManagers, "
            f"{_ROWS_PER_SECOND:,} rows/s of 1,000 bytes | |",
            "|---|---|",
            f"| batches of {_BATCH_SIZE} in flight, at {_CALL_SECONDS} s a call "
            f"| {in_flight / _BATCH_SIZE:,.0f}, about "
            f"{in_flight / _BATCH_SIZE / _SUBTASKS:.1f} a subtask |",
            f"| rows in a checkpoint, and their bytes | {in_flight:,.0f}, {state:,.0f} MiB; "
            f"{1024 * state / _SUBTASKS:,.0f} KiB a subtask |",
            f"| workers | {_SUBTASKS:,} with {costs['worker_mib'] * per_manager:,.0f} MiB a "
            f"TaskManager, or {_TASK_MANAGERS} shared with "
            f"{costs['shared_worker_mib']:,.0f} MiB |",
            "| connections to a model server | a sidecar function: one a subtask, "
            f"{_SUBTASKS:,}; a client in `open`: one a worker at least, "
            f"{_SUBTASKS:,} or {_TASK_MANAGERS} |",
        ]
    )


def fleets(runs: List[Mapping[str, Any]]) -> str:
    """A row for each fleet and arrangement of limits."""
    rows = [
        "| subtasks | servers | load | limit of | rows/s | of the best | p50, p99 "
        "| calls that fail | Jain's fairness |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        load = "all they take" if run["load"] is None else f"{run['load']:.0%}"
        rows.append(
            f"| {run['subtasks']:,} | {run['servers']} | {load} | {run['limits']} "
            f"| {run['rows_per_second']:,} | {run['of_best']:.0%} "
            f"| {run['p50_ms']:,} ms, {run['p99_ms']:,} ms | {run['failed']:.1%} "
            f"| {run['fairness']:.2f} |"
        )
    return "\n".join(rows)


def write_page() -> None:
    """Brings the tables of the page up to date."""
    page = PAGE.read_text(encoding="utf-8")
    for name, text in sections().items():
        page = results_table.with_section(page, name, text, "make scale")
    PAGE.write_text(page, encoding="utf-8")
