"""The page about versions shows what was found, and the Flink before ours still runs jobs."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _load(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, ROOT / "release" / ("%s.py" % name))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


compat = _load("compat")
RESULTS = json.loads(compat.RESULTS.read_text(encoding="utf-8"))


def test_the_page_shows_the_results() -> None:
    text = compat.PAGE.read_text(encoding="utf-8")
    assert compat.page_with(text, RESULTS) == text


def test_every_supported_version_was_tried() -> None:
    tried = {(entry["flink"], entry["python"]) for entry in RESULTS if "outcomes" in entry}
    assert {"2.3.0", "2.2.1"} <= {flink for flink, _ in tried}
    assert {"3.9", "3.10", "3.11", "3.12"} <= {python for _, python in tried}


def test_a_failure_stands_out_in_the_table() -> None:
    outcomes = {group: {"passed": 3, "failed": 0} for group in compat.GROUPS}
    outcomes["rows"] = {"passed": 3, "failed": 2}
    ran = {"flink": "2.3.0", "python": "3.13", "packages": {"numpy": "3.0"}, "outcomes": outcomes}
    missing = {"flink": "2.3.0", "python": "3.14", "not_run": "not run"}
    lines = compat.table([ran, missing]).splitlines()
    assert "| **2 of 5 failed** |" in lines[2]
    assert "| numpy 3.0 |" in lines[2]
    assert lines[3].startswith("| 2.3.0 | 3.14 | not run |")


def test_a_run_replaces_what_was_known_of_its_versions_alone() -> None:
    def entry(flink: str, python: str, why: str) -> Any:
        return {"flink": flink, "python": python, "not_run": why}

    known = [entry("2.3.0", "3.12", "old"), entry("2.2.1", "3.9", "old")]
    found = compat.with_entry(known, entry("2.3.0", "3.9", "new"))
    found = compat.with_entry(found, entry("2.2.1", "3.9", "new"))
    assert [tuple(line.values()) for line in found] == [
        ("2.3.0", "3.12", "old"),
        ("2.3.0", "3.9", "new"),
        ("2.2.1", "3.9", "new"),
    ]


def test_fewer_tests_than_there_were_are_a_failure() -> None:
    case = "<testcase>%s</testcase>"

    def outcome(*inner: str, others: Any = ()) -> Any:
        cases = "".join(case % text for text in inner)
        report = "<testsuites><testsuite>%s</testsuite></testsuites>" % cases
        return compat.outcome([ElementTree.fromstring(report), *others], least=3)

    assert outcome("", "", "") == {"passed": 3, "failed": 0}
    assert outcome("", "", "<skipped/>") == {"passed": 2, "failed": 1}
    assert outcome("", "", "", "<failure/>") == {"passed": 3, "failed": 1}
    assert outcome("<error/>") == {"passed": 0, "failed": 3}
    assert outcome("", "", "", "", others=[None]) == {"passed": 4, "failed": 1}
    assert compat.outcome([None], least=3) == {"passed": 0, "failed": 3}


def test_a_crash_costs_what_crashed_alone(tmp_path: Path, monkeypatch: Any) -> None:
    own = tmp_path / "bin" / "python"
    own.parent.mkdir()
    own.write_text('#!/bin/sh\nexec "%s" "$@"\n' % sys.executable)
    own.chmod(0o755)
    tests = tmp_path / "test_modes.py"
    tests.write_text(
        "import os, pytest\n"
        "@pytest.mark.parametrize('where', ['thread', 'process'])\n"
        "def test_runs(where):\n"
        "    where == 'process' or os._exit(134)\n"
    )
    later = tmp_path / "test_later.py"
    later.write_text("def test_runs(): pass\n")
    groups = {
        "mixed": compat.Group([str(tests)], 2, has_threads=True),
        "later": compat.Group([str(later)], 1),
    }
    monkeypatch.setattr(compat, "GROUPS", groups)
    assert compat.run(own) == {
        "mixed": {"passed": 1, "failed": 1},
        "later": {"passed": 1, "failed": 0},
    }


@pytest.mark.timeout(300)
def test_jobs_run_on_the_flink_before_ours() -> None:
    """All that ``make compat`` does on it would take too long here, and so would its install."""
    environment = compat.ENVIRONMENTS / "python3.11-flink2.2.1"
    (wheel,) = (ROOT / "dist").glob("pyflink_async_batch-*.whl")
    if not compat.is_installed(environment, wheel):
        pytest.skip("no environment with Flink 2.2.1 and this wheel: make compat PYTHONS= makes it")
    own = compat.install("2.2.1", "3.11", compat.interpreter("3.11"), wheel)
    rows = compat.E2E + "test_batching.py::test_every_element_has_one_result"
    columns = compat.E2E + "test_columns.py::test_rows_are_a_record_batch"
    done = subprocess.run(
        [
            *(own, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(rows + "[ordered-process]", rows + "[unordered-thread]"),
            columns + "[unordered-process]",
        ],
        cwd=ROOT,
        env={**os.environ, "PATH": "%s:%s" % (own.parent, os.environ["PATH"])},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
