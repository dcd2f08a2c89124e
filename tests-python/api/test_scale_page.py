"""The page about scale shows what was measured and simulated."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")

sys.path.append(str(ROOT / "benchmarks"))

import results_table  # noqa: E402
import scale_table  # noqa: E402


@pytest.mark.parametrize("section", ["subtask", "thousand", "fleets"])
def test_the_tables_hold_what_was_found(section: str) -> None:
    assert results_table.marked(TEXT, section, "make scale") == scale_table.sections()[section]
