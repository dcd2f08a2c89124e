"""The pages about tests and about security name only tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = pytest.mark.parametrize("page", ["docs/testing.md", "SECURITY.md"])


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@PAGES
def test_java_tests_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`(\w+(?:Test|ITCase))\.(\w+)`", text_of(page))
    assert len(named) > 25
    sources = {
        path.stem: path.read_text(encoding="utf-8")
        for path in (ROOT / "tests-java" / "src" / "test" / "java").rglob("*.java")
    }
    missing = [
        f"{name}.{method}"
        for name, method in named
        if not re.search(rf"void {method}\(", sources.get(name, ""))
    ]
    assert missing == []


@PAGES
def test_python_tests_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`(\w+\.py)::(\w+)`", text_of(page))
    assert len(named) > 10
    sources: dict[str, str] = {}
    for path in (ROOT / "tests-python").rglob("test_*.py"):
        # Two directories may have a file of the same name.
        sources[path.name] = sources.get(path.name, "") + path.read_text(encoding="utf-8")
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not re.search(rf"def {test}\(", sources.get(file, ""))
    ]
    assert missing == []


def test_every_claim_about_security_names_a_test() -> None:
    claims = text_of("SECURITY.md").split("| claim | tests |")[1:]
    rows = [
        row
        for table in claims
        for row in table.split("\n\n")[0].splitlines()
        if row and not row.startswith("|---")
    ]
    assert len(rows) > 20
    assert [row for row in rows if not re.search(r"\| `\w+[.:]", row)] == []
