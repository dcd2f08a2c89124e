"""Runs real jobs on other versions of Flink and Python, and writes down which work.

``compat.py WHEEL FLINK:PYTHON …`` makes an environment for each pair under target/compat, with
nothing but the wheel, what it brings, and the tools of the tests; runs the same tests in each, in
processes of their own, so that one that crashes costs no other; and writes the file
``release/compatibility.json`` and the table in ``docs/compatibility.md``. A Python that is not on
this machine is not run, and the table says so. Run by ``make compat``.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple, Optional
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "target" / "compat"
RESULTS = ROOT / "release" / "compatibility.json"
PAGE = ROOT / "docs" / "compatibility.md"
TOOLS = ROOT / "release" / "compat.txt"
BEGIN, END = "<!-- compat:begin -->", "<!-- compat:end -->"
SHOWN = ("pyarrow", "numpy", "apache-beam", "pemja", "protobuf")

E2E, TABLE = "tests-python/e2e/", "tests-python/table/"
RESTORE = E2E + "test_checkpointing.py::test_every_element_has_one_result_after_a_failure"


class Group(NamedTuple):
    """A column of the table.

    :param tests: what runs
    :param least: how many tests it is at least, so that a name that is not there any more does not
        pass for a success
    :param has_threads: whether some of them run Python in the JVM, which their names say; a crash
        there ends the JVM for all tests of the process
    """

    tests: "list[str]"
    least: int
    has_threads: bool = False

    def runs(self) -> "list[list[str]]":
        """What pytest is called with, once for each process."""
        if not self.has_threads:
            return [self.tests]
        return [[*self.tests, "-k", names] for names in ("not thread", "thread")]


GROUPS = {
    "units": Group(
        [
            "tests-python/api/test_data_stream.py",
            *(
                "tests-python/worker/test_%s.py" % part
                for part in (
                    "batch_invocation",
                    "codec_golden",
                    "codec_results",
                    "column_results",
                    "frame_channel",
                    "port_channel",
                    "precise_selector",
                    "shared_memory",
                )
            ),
        ],
        300,
    ),
    "rows": Group(
        [
            E2E + "test_batching.py::test_every_element_has_one_result",
            E2E + "test_batching.py::test_results_leave_in_the_order_that_was_asked_for",
        ],
        8,
        has_threads=True,
    ),
    "columns": Group([E2E + "test_columns.py::test_rows_are_a_record_batch"], 3, has_threads=True),
    "restore": Group(
        [
            RESTORE + "[ordered-process-kill-unaligned]",
            RESTORE + "[unordered-thread-exception-aligned]",
            RESTORE + "[unordered-shared-kill-unaligned]",
        ],
        3,
        has_threads=True,
    ),
    "tables": Group(
        [
            TABLE + "test_ml_predict.py::test_a_function_of_a_shipped_module_computes_batches",
            TABLE + "test_table_api.py::test_a_coroutine_function_adds_a_column",
        ],
        2,
    ),
    "sidecar": Group(["tests-python/sidecar/test_sidecar_job.py"], 1),
}
RUN_SECONDS = 900


def interpreter(version: str) -> Optional[str]:
    """Where a Python such as 3.11 is: on the PATH, or among those of pyenv."""
    found = shutil.which("python" + version)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [found] if found else []
    candidates += [str(path) for path in sorted(pyenv.glob(version + ".*/bin/python"))]
    for candidate in candidates:
        # A shim of pyenv's is there for versions that are not.
        done = subprocess.run([candidate, "--version"], check=False, capture_output=True, text=True)
        if done.returncode == 0 and done.stdout.startswith("Python %s." % version):
            return candidate
    return None


def is_installed(environment: Path, wheel: Path) -> bool:
    """Whether an environment is there and has this very wheel."""
    stamp = environment / "installed"
    return stamp.exists() and stamp.read_text() == _contents(wheel)


def _contents(wheel: Path) -> str:
    return hashlib.sha256(TOOLS.read_bytes() + wheel.read_bytes()).hexdigest()


def install(flink: str, python: str, executable: str, wheel: Path) -> Path:
    """Makes an environment, or has one that is there use the wheel; gives its interpreter."""
    directory = ENVIRONMENTS / ("python%s-flink%s" % (python, flink))
    own = directory / "bin" / "python"
    if is_installed(directory, wheel):
        return own
    if not own.exists():
        subprocess.run([executable, "-m", "venv", str(directory)], check=True)
    pip = [str(own), "-m", "pip", "install", "-q"]
    # In one call: what the wheel asks for has to be met by that Flink.
    subprocess.run([*pip, str(wheel), "apache-flink==" + flink, "-r", str(TOOLS)], check=True)
    again = ["--force-reinstall", "--no-deps", str(wheel)]
    subprocess.run([*pip, *again], check=True)
    (directory / "installed").write_text(_contents(wheel))
    return own


def run(own: Path) -> "dict[str, dict[str, int]]":
    """What became of each group in an environment."""
    return {
        name: outcome([_report(own, tests) for tests in group.runs()], group.least)
        for name, group in GROUPS.items()
    }


def _report(own: Path, tests: "list[str]") -> Optional[ElementTree.Element]:
    """JUnit's report of tests that ran in a process of their own; none if it did not get there."""
    report = own.parent.parent / "tests.xml"
    report.unlink(missing_ok=True)
    command = [str(own), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    # Thread mode finds pemja through the interpreter on the PATH.
    variables = {**os.environ, "PATH": "%s:%s" % (own.parent, os.environ["PATH"])}
    try:
        subprocess.run(
            [*command, "--junitxml", str(report), *tests],
            cwd=ROOT,
            env=variables,
            timeout=RUN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        print("%s took longer than %d s" % (tests, RUN_SECONDS), file=sys.stderr)
    return ElementTree.parse(report).getroot() if report.exists() else None


def outcome(reports: "list[Optional[ElementTree.Element]]", least: int) -> "dict[str, int]":
    """
    How many tests of a group passed and failed, by JUnit's reports: missing ones failed, and at
    least one where a run left no report.
    """
    cases = [case for report in reports if report is not None for case in report.iter("testcase")]
    failed = sum(_has(case, "failure", "error") for case in cases)
    passed = sum(not _has(case, "failure", "error", "skipped") for case in cases)
    return {"passed": passed, "failed": max(failed + reports.count(None), least - passed)}


def _has(case: ElementTree.Element, *names: str) -> bool:
    return any(case.find(name) is not None for name in names)


def _versions(own: Path) -> "dict[str, str]":
    command = [str(own), "-m", "pip", "list", "--format", "json"]
    listed = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    found = {package["name"].lower(): package["version"] for package in listed}
    return {name: found[name] for name in SHOWN if name in found}


def table(results: "list[dict[str, Any]]") -> str:
    """The results as a table of Markdown."""
    lines = [
        "| Flink | Python | %s | with |" % " | ".join(GROUPS),
        "|---" * (len(GROUPS) + 3) + "|",
    ]
    for entry in results:
        if "outcomes" in entry:
            cells = [_cell(entry["outcomes"][group]) for group in GROUPS]
            parts = ", ".join("%s %s" % part for part in entry["packages"].items())
        else:
            cells = [entry["not_run"]] + [""] * (len(GROUPS) - 1)
            parts = ""
        lines.append(
            "| %s | %s | %s | %s |" % (entry["flink"], entry["python"], " | ".join(cells), parts)
        )
    return "\n".join(lines)


def _cell(outcome: "dict[str, int]") -> str:
    if outcome["failed"]:
        return "**%d of %d failed**" % (outcome["failed"], outcome["failed"] + outcome["passed"])
    return "%d" % outcome["passed"]


def page_with(text: str, results: "list[dict[str, Any]]") -> str:
    """The page with the table of these results in it."""
    pattern = re.escape(BEGIN) + ".*" + re.escape(END)
    return re.sub(
        pattern, lambda _: "%s\n%s\n%s" % (BEGIN, table(results), END), text, flags=re.DOTALL
    )


def _entry(flink: str, python: str, wheel: Path) -> "dict[str, Any]":
    entry: dict[str, Any] = {"flink": flink, "python": python}
    executable = interpreter(python)
    if executable is None:
        print("no Python %s on this machine: not run" % python, file=sys.stderr)
        return {**entry, "not_run": "not run: no such Python where this was measured"}
    try:
        own = install(flink, python, executable, wheel)
    except subprocess.CalledProcessError as error:
        print(error, file=sys.stderr)
        return {**entry, "not_run": "**cannot be installed**"}
    return {**entry, "packages": _versions(own), "outcomes": run(own)}


def _pair(text: str) -> "tuple[str, str]":
    flink, separator, python = text.partition(":")
    if not separator or not flink or not python:
        raise argparse.ArgumentTypeError("expected FLINK:PYTHON such as 2.2.1:3.11, got %s" % text)
    return flink, python


def main() -> None:
    """Reads the command line."""
    command_line = argparse.ArgumentParser(description=__doc__)
    command_line.add_argument("wheel", type=Path)
    command_line.add_argument("wanted", type=_pair, nargs="+", metavar="FLINK:PYTHON")
    arguments = command_line.parse_args()
    wheel = arguments.wheel.resolve()
    failed = False
    for flink, python in arguments.wanted:
        entry = _entry(flink, python, wheel)
        failed |= any(outcome["failed"] for outcome in entry.get("outcomes", {}).values())
        # After each, as it takes minutes; what other runs found of other versions stays.
        _write(with_entry(_read(), entry))
    print(table(_read()))
    if failed:
        sys.exit("not everything passed")


def with_entry(results: "list[dict[str, Any]]", entry: "dict[str, Any]") -> "list[dict[str, Any]]":
    """The results with one more, in place of what was known of the same versions; newest first."""
    others = [known for known in results if _key(known) != _key(entry)]
    return sorted([*others, entry], key=_key, reverse=True)


def _key(entry: "dict[str, Any]") -> "tuple[list[int], list[int]]":
    flink, python = ([int(part) for part in entry[name].split(".")] for name in ("flink", "python"))
    return flink, python


def _read() -> "list[dict[str, Any]]":
    return list(json.loads(RESULTS.read_text(encoding="utf-8")))


def _write(results: "list[dict[str, Any]]") -> None:
    RESULTS.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), results), encoding="utf-8")


if __name__ == "__main__":
    main()
