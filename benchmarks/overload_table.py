"""The Markdown that shows what ``overload.json`` holds, in ``docs/overload.md``.

Imports nothing but the standard library, so that a test can hold the page to the figures.
"""

import json
import pathlib
from typing import Any, Dict, Mapping

import results_table

_ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS_JSON = _ROOT / "benchmarks" / "overload.json"
#: Of ``overload_process.py``; there once that was run.
PROCESS_JSON = _ROOT / "benchmarks" / "overload_process.json"
PAGE = _ROOT / "docs" / "overload.md"


def sections() -> Dict[str, str]:
    """What stands between the marks of the page, by the marks' names."""
    held = json.loads(RESULTS_JSON.read_text(encoding="utf-8"))
    return {
        "targets": results_table.results(held["results"]),
        "peers": peers(held["figures"]),
        "hedging": hedging(held["tails"]),
        "process": _process(),
    }


def _process() -> str:
    if not PROCESS_JSON.exists():
        return "Not measured yet."
    held = json.loads(PROCESS_JSON.read_text(encoding="utf-8"))
    rows = ["| | rows/s | p99 | calls that fail |", "|---|---|---|---|"]
    rows += [
        f"| {contender} | {line['rows/s']:,.0f} | {line['p99 ms']:,.0f} ms | {line['failed']:.2%} |"
        for contender, line in held["figures"].items()
    ]
    return "\n".join(rows) + "\n\n" + results_table.results(held["results"])


def peers(figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Rows per second and p99 of every policy in every trace; the best score is bold."""
    policies = list(next(iter(figures.values())))
    rows = ["| trace | " + " | ".join(policies) + " |", "|---" * (len(policies) + 1) + "|"]
    for trace, lines in figures.items():
        best = max(line["score"] for line in lines.values())
        cells = [_cell(line, best) for line in lines.values()]
        rows.append(f"| {trace} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def hedging(figures: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """What second calls change where some calls are slow."""
    rows = ["| trace | policy | rows/s | p50 | p99 | second calls |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {trace} | {policy} | {line['rows_per_second']:,.0f} | {line['p50_ms']:,.0f} ms "
        f"| {line['p99_ms']:,.0f} ms | {line['extra_calls']:.1%} |"
        for trace, policies in figures.items()
        for policy, line in policies.items()
    ]
    return "\n".join(rows)


def _cell(line: Mapping[str, Any], best: float) -> str:
    mark = "**" if line["score"] == best else ""
    return (
        f"{line['rows_per_second']:,.0f} rows/s, {line['p99_ms']:,.0f} ms: "
        f"{mark}{line['score']:.2f}{mark}"
    )


def write_page() -> None:
    """Brings the tables of the page up to date."""
    page = PAGE.read_text(encoding="utf-8")
    for name, text in sections().items():
        page = results_table.with_section(page, name, text, "make overload")
    PAGE.write_text(page, encoding="utf-8")
