"""Shows a run: one table, as Markdown and as JSON."""

import json
import pathlib
from typing import Any, Dict, List, Mapping, NamedTuple, Sequence, Tuple

from .checks import Check

_INTRODUCTION = "What was asked for, what happened, and what was found; written by the run itself."


class Report(NamedTuple):
    """What was asked for, what happened, and what came of it."""

    settings: Mapping[str, Any]
    counts: Mapping[str, int]
    figures: Mapping[str, Any]
    checks: Sequence[Check]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


def markdown(report: Report) -> str:
    rows: List[Tuple[str, str, str]] = []
    rows += [(name, _shown(value), "") for name, value in report.settings.items()]
    rows += [(f"happened: {kind}", f"{count}", "") for kind, count in report.counts.items()]
    rows += [(name, _shown(value), "") for name, value in report.figures.items()]
    rows += [(c.name, c.found, "ok" if c.passed else "**FAILED**") for c in report.checks]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [("what", "value", "check"), tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |"
        for line in lines
    )


def write(report: Report, stem: pathlib.Path) -> None:
    """Writes ``stem.md`` and ``stem.json``."""
    text = f"# {_title(report)}\n\n{_INTRODUCTION}\n\n{markdown(report)}\n"
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    stem.with_suffix(".json").write_text(
        json.dumps(as_json(report), indent=2) + "\n", encoding="utf-8"
    )


def _title(report: Report) -> str:
    order = "in order" if report.settings["ordered"] else "in any order"
    return f"Endurance: {report.figures['seconds'] / 60:.0f} minutes, results {order}"


def as_json(report: Report) -> Dict[str, Any]:
    return {
        "settings": dict(report.settings),
        "happened": dict(report.counts),
        "figures": dict(report.figures),
        "checks": [check._asdict() for check in report.checks],
        "passed": report.passed,
    }


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else f"{value}"
