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


FILE = re.compile(r"`((?:\./)?[\w./-]+/[\w./-]*|[\w-]+\.(?:java|json|md|proto|py))`")
# What builds and environments make is not in the repository.
MADE = re.compile(r"\.venv/|(?:[\w-]+/)?target/")
CONTRIBUTING = "CONTRIBUTING.md"


def tracked_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return listed.stdout.splitlines()


def test_files_that_contributing_names_exist() -> None:
    tracked = tracked_files()
    named = {name for name in FILE.findall(text_of(CONTRIBUTING)) if not MADE.match(name)}
    assert len(named) > 60
    missing = [
        name
        for name in sorted(path.removeprefix("./") for path in named)
        if not any(
            path.endswith("/" + name) or path == name or path.startswith(name.rstrip("/") + "/")
            for path in tracked
        )
    ]
    assert missing == []


def test_tests_that_contributing_names_exist() -> None:
    text = text_of(CONTRIBUTING)
    tracked = tracked_files()
    classes = {Path(path).stem for path in tracked if path.endswith(".java")}
    named = set(re.findall(r"\b[A-Z]\w+(?:Test|ITCase|Properties)\b", text))
    assert len(named) > 8
    assert named - classes == set()
    directories = re.findall(r"\bT=(tests-python/\S+)", text)
    assert directories
    assert [path for path in directories if not (ROOT / path).exists()] == []
    (keyword,) = re.findall(r"pytest tests-python -k (\w+)", text)
    assert [path for path in tracked if keyword in Path(path).name or _has_test(path, keyword)]


def _has_test(path: str, keyword: str) -> bool:
    return bool(
        path.startswith("tests-python/")
        and path.endswith(".py")
        and re.search(rf"def test_\w*{keyword}", text_of(path))
    )


def test_make_targets_that_contributing_names_exist() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.MULTILINE))
    named = set(
        re.findall(
            r"(?:`|^)make (?:[A-Z]+=\S+ )*([a-z][a-z-]*)", text_of(CONTRIBUTING), re.MULTILINE
        )
    )
    assert len(named) > 25
    assert named - targets == set()


def test_the_table_of_the_architecture_has_every_room() -> None:
    sources = re.compile(r"[\w-]+/src/main/java/io/asyncbatch/flink/(.+)/package-info\.java")
    rooms = {
        match[1].replace("/", ".") for match in map(sources.fullmatch, tracked_files()) if match
    }
    assert len(rooms) > 30
    table = set(re.findall(r"^\| `([\w.]+)`", text_of("docs/architecture.md"), re.MULTILINE))
    assert rooms - table == set()


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
