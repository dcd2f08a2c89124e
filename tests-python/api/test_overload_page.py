"""The page about overload control shows what the simulation found, and plots that are there."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "overload.md"
TEXT = PAGE.read_text(encoding="utf-8")

sys.path.append(str(ROOT / "benchmarks"))

import overload_table  # noqa: E402
import results_table  # noqa: E402


@pytest.mark.parametrize("section", ["targets", "peers", "hedging", "process"])
def test_the_tables_hold_what_was_simulated(section: str) -> None:
    expected = overload_table.sections()[section]
    assert results_table.marked(TEXT, section, "make overload") == expected


def test_what_the_page_points_to_is_there() -> None:
    targets = re.findall(r"\]\(((?:\.\./|adr/)[^)#]+)\)", TEXT)
    assert len(targets) > 6
    assert [target for target in targets if not (PAGE.parent / target).exists()] == []
