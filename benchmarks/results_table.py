"""The Markdown that shows what ``results.json`` and ``sweep.json`` hold, here and in the docs.

Imports nothing but the standard library, so that a test can hold the docs to the figures.
"""

import pathlib
from typing import Any, Dict, List, Mapping

_ROOT = pathlib.Path(__file__).resolve().parents[1]
RESULTS_JSON = _ROOT / "benchmarks" / "results.json"
SWEEP_JSON = _ROOT / "benchmarks" / "sweep.json"
PAGE = _ROOT / "docs" / "performance.md"

# Beside the results' names, in results.json: where and how they were measured.
RUN = "run"

_WRITTEN_BY = "make bench"

_BOUNDS = {"at least": "≥", "at most": "≤"}


def results(lines: Mapping[str, Any]) -> str:
    """The table of all results.

    :param lines: what ``results.json`` holds.
    """
    rows = ["| benchmark | value | target | met | measured |", "|---|---|---|---|---|"]
    for name, line in lines.items():
        if name == RUN:
            continue
        measured = ", ".join(f"{what} {_figure(value)}" for what, value in line["measured"].items())
        rows.append(
            f"| `{name}` | {_figure(line['value'])} {line['unit']} "
            f"| {_BOUNDS[line['bound']]} {line['target']:g} "
            f"| {'yes' if line['met'] else '**missed**'} | {measured} |"
        )
    return "\n".join(rows)


def where(run: Mapping[str, Any]) -> str:
    """A sentence on where and how it was measured, and lines on what was not."""
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    said = [f"Written by `{run['command']}` on {run['machine']}; {versions}."]
    said += [f"\nNot measured: {name}: {reason}." for name, reason in run["not_measured"].items()]
    return "\n".join(said)


def costs(curves: Mapping[str, Any]) -> str:
    """The table of what a batch, a row and a byte cost.

    :param curves: what ``sweep.json`` holds.
    """
    rows = [
        "| sweep | constant | and for each | worst error of the two |",
        "|---|---|---|---|",
    ]
    for name, curve in curves.items():
        constant, each = curve["constant"], curve["each"]
        rows.append(
            f"| {name} | {_figure(constant['us'])} µs a {constant['of']} "
            f"| {_figure(each['ns'])} ns a {each['of']} | {curve['worst']:.0%} |"
        )
    return "\n".join(rows)


def sections(lines: Mapping[str, Any], curves: Mapping[str, Any]) -> Dict[str, str]:
    """What stands between the marks of the page, by the marks' names."""
    return {"results": f"{results(lines)}\n\n{where(lines[RUN])}", "costs": costs(curves)}


def marked(page: str, name: str, written_by: str = _WRITTEN_BY) -> str:
    """What a page shows between two marks."""
    begin, end = _marks(name, written_by)
    return page.split(begin, 1)[1].split(end, 1)[0].strip("\n")


def with_section(page: str, name: str, text: str, written_by: str = _WRITTEN_BY) -> str:
    """The page with other text between two marks."""
    begin, end = _marks(name, written_by)
    before, rest = page.split(begin, 1)
    return f"{before}{begin}\n{text}\n{end}{rest.split(end, 1)[1]}"


def _marks(name: str, written_by: str) -> List[str]:
    return [f"<!-- {name}: written by {written_by} -->", f"<!-- end of {name} -->"]


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
