"""The loop for one module stays without Maven and without a wheel, whatever has changed."""

import importlib.util
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def plan(installed: Path, loop: str, changed: str) -> str:
    """What the loop would run after ``make install``, if this file has changed since then."""
    stamps = installed / ".stamps"
    stamps.mkdir(exist_ok=True)
    for stamp in ("flink", "jar", "wheel", "test"):
        (stamps / stamp).touch()
    # The first time, which this is not about, compiles everything.
    arguments = [f"VENV={installed}", "-o", "target/quick/.prepared", "-W", changed]
    make = ["make", "--dry-run", *arguments, "quick", f"T={loop}"]
    # Without the variables of a make that runs the tests.
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("loop", ["AimdLimitTest", "tests-python/watch"])
@pytest.mark.parametrize(
    "changed",
    [
        "flink-python-async-batch-java/src/main/java/io/asyncbatch/flink/limit/AimdLimit.java",
        "pyflink-async-batch/src/pyflink_async_batch/options.py",
    ],
)
def test_a_change_brings_no_maven_and_no_wheel(loop: str, changed: str, tmp_path: Path) -> None:
    assert (ROOT / changed).exists()
    planned = plan(tmp_path, loop, changed)
    assert loop in planned
    assert "mvnw" not in planned
    assert "pip " not in planned


def load_quick() -> Any:
    spec = importlib.util.spec_from_file_location("quick", ROOT / "tests-java" / "quick.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_classes_of_tests_are_where_rules_about_rooms_do_not_look(tmp_path: Path) -> None:
    made, tests = tmp_path / "classes", tmp_path / "test-classes" / "room"
    made.mkdir()
    for name in ("Part.class", "Part$Inner.class", "PartOther.class"):
        (made / name).touch()
    load_quick()._move(made / "Part.class", tests / "Part.class")
    assert {path.name for path in tests.iterdir()} == {"Part.class", "Part$Inner.class"}
    assert [path.name for path in made.iterdir()] == ["PartOther.class"]
    # ArchUnit tells tests by this part of a path.
    places = {changed for _, directory, changed in load_quick().SOURCES if "/test/" in directory}
    assert places == {"target/test-classes"}
