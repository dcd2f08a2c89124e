"""The page about the tests names only tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")


def test_java_tests_that_are_named_exist() -> None:
    named = re.findall(r"`(\w+(?:Test|ITCase))\.(\w+)`", PAGE)
    assert len(named) > 30
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


def test_python_tests_that_are_named_exist() -> None:
    named = re.findall(r"`(\w+\.py)::(\w+)`", PAGE)
    assert len(named) > 10
    sources = {
        path.name: path.read_text(encoding="utf-8")
        for path in (ROOT / "tests-python").rglob("test_*.py")
    }
    missing = [
        f"{file}::{test}"
        for file, test in named
        if not re.search(rf"def {test}\(", sources.get(file, ""))
    ]
    assert missing == []
