"""The pages about tests and about security name only tests that exist."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = pytest.mark.parametrize("page", ["docs/testing.md", "SECURITY.md"])


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@PAGES
def test_java_tests_that_are_named_exist(page: str) -> None:
    named = re.findall(r"`(\w+(?:Test|ITCase|Properties))\.(\w+)`", text_of(page))
    assert len(named) > 25
    sources = {
        path.stem: path.read_text(encoding="utf-8")
        for module in ("tests-java", "arrow-bridge")
        for path in (ROOT / module / "src" / "test" / "java").rglob("*.java")
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


def test_the_index_of_decisions_lists_every_page() -> None:
    directory = ROOT / "docs" / "adr"
    pages = sorted(directory.glob("[0-9]*.md"))
    expected = []
    for page in pages:
        title = page.read_text(encoding="utf-8").splitlines()[0]
        number = int(page.name.split("-")[0])
        assert title.startswith("# %d. " % number), page.name
        expected.append("- [%s](%s)" % (title[2:], page.name))
    listed = (directory / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in listed if line.startswith("- ")] == expected
    assert len({page.name.split("-")[0] for page in pages}) == len(pages)


CODE = re.compile(r"`([\w./-]+/[\w./-]+|\w+\.(?:java|py|md|proto))`")


def test_files_that_contributing_names_exist() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    howto = text_of("CONTRIBUTING.md").split("\n## How to add\n")[1].split("\n## ")[0]
    named = CODE.findall(howto)
    assert len(named) > 20
    missing = [
        name
        for name in named
        if not any(
            path.endswith("/" + name) or path == name or path.startswith(name.rstrip("/") + "/")
            for path in tracked
        )
    ]
    assert missing == []


@pytest.mark.parametrize("name", ["LICENSE", "NOTICE"])
def test_the_package_has_the_repositorys_texts(name: str) -> None:
    """Copies: a link out of an sdist leads nowhere."""
    copy = ROOT / "pyflink-async-batch" / name
    assert not copy.is_symlink()
    assert copy.read_bytes() == (ROOT / name).read_bytes()


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


def test_every_rule_about_rooms_says_why() -> None:
    """What breaks one is shown the reason, and need not look for it."""
    rules = text_of(
        "tests-java/src/test/java/io/asyncbatch/flink/architecture/ArchitectureTest.java"
    )
    assert rules.count(".check(") > 10
    assert len(re.findall(r"\.because\([^)]*\)\s+\.check\(", rules)) == rules.count(".check(")
    contracts = re.findall(r'^name = "(.*)"$', text_of("pyflink-async-batch/pyproject.toml"), re.M)
    named = [name for name in contracts if "knows" in name]
    assert len(named) >= 6
    assert [name for name in named if ": " not in name] == []
