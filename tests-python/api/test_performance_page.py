"""The page about performance shows the figures that were measured, and plots that are there."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "performance.md"
TEXT = PAGE.read_text(encoding="utf-8")


def _load_results_table() -> Any:
    spec = importlib.util.spec_from_file_location(
        "results_table", ROOT / "benchmarks" / "results_table.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


results_table = _load_results_table()


@pytest.mark.parametrize("section", ["results", "costs"])
def test_the_tables_hold_what_was_measured(section: str) -> None:
    lines = json.loads(results_table.RESULTS_JSON.read_text(encoding="utf-8"))
    curves = json.loads(results_table.SWEEP_JSON.read_text(encoding="utf-8"))
    expected = results_table.sections(lines, curves)[section]
    assert results_table.marked(TEXT, section) == expected


def test_a_target_counts_as_met_on_its_own_side_only() -> None:
    lines = json.loads(results_table.RESULTS_JSON.read_text(encoding="utf-8"))
    for name, line in lines.items():
        if name != results_table.RUN:
            above = line["value"] >= line["target"]
            below = line["value"] <= line["target"]
            assert line["met"] == (above if line["bound"] == "at least" else below), name


def test_what_the_page_points_to_is_there() -> None:
    targets = re.findall(r"\]\((\.\./[^)#]+)\)", TEXT)
    assert len(targets) > 8
    assert [target for target in targets if not (PAGE.parent / target).exists()] == []


def test_the_latencies_of_when_not_are_those_that_were_measured() -> None:
    lines = json.loads(results_table.RESULTS_JSON.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "when-not.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| (\w+) mode \| ([\d.]+) ms \| ([\d.]+) ms \|", page, re.MULTILINE)
    measured = []
    for mode, line in (
        ("process", "added_latency_p50_ms"),
        ("thread", "added_latency_thread_p50_ms"),
    ):
        figures = lines[line]["measured"]
        measured.append(
            (mode, *("%.2f" % (figures[f"{mode} {q}"] - figures["direct"]) for q in ("p50", "p99")))
        )
    assert shown == measured
