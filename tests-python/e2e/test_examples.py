"""The examples that need no more than this environment, run as users run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
JAVA_EXAMPLES = EXAMPLES / "java" / "target" / "examples.jar"


def test_embeddings_of_unseen_images_lie_beside_those_of_the_same_digit(tmp_path: Path) -> None:
    shown = _run(
        [sys.executable, EXAMPLES / "image_embeddings.py", "--batch-size", "100"], tmp_path
    )
    assert _percentage(r"of unseen images have a nearest neighbour", shown) > 95


def test_a_sidecar_reads_unseen_digits_for_a_python_job(tmp_path: Path) -> None:
    shown = _run([sys.executable, EXAMPLES / "image_sidecar.py"], tmp_path)
    assert _percentage(r"of unseen images are read right", shown) > 95


def test_a_sidecar_reads_unseen_digits_for_a_java_job(tmp_path: Path) -> None:
    if not JAVA_EXAMPLES.exists():
        pytest.skip("the Java examples are not built: ./mvnw package")
    _run([sys.executable, EXAMPLES / "train_digits.py", "--output", tmp_path], tmp_path)
    # Not flink-python's jar, which PyFlink keeps elsewhere: a job in Java does without it.
    jars = _run([sys.executable, EXAMPLES / "flink_classpath.py"], tmp_path).strip()
    opened = (
        "--add-opens=java.base/java.util=ALL-UNNAMED",
        "--add-opens=java.base/java.nio=ALL-UNNAMED",
    )
    main = ("io.asyncbatch.flink.example.ImageSidecar", sys.executable, EXAMPLES, tmp_path)
    shown = _run(["java", *opened, "-cp", f"{JAVA_EXAMPLES}:{jars}", *main], tmp_path)
    assert _percentage(r"of unseen images are read right", shown) > 95


def test_rows_go_through_a_batch_api_without_a_key(tmp_path: Path) -> None:
    shown = _run([sys.executable, EXAMPLES / "batch_inference.py", "--rows", "40"], tmp_path)
    assert _percentage(r"answered", shown) == 100


def _run(command: list[object], directory: Path) -> str:
    # PyFlink ran functions of other tests in this process, and with that forbade it to start a JVM.
    environment = {k: v for k, v in os.environ.items() if k != "PYFLINK_GATEWAY_DISABLED"}
    ran = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def _percentage(of_what: str, shown: str) -> float:
    found = re.search(rf"^(\d+\.\d+)% {of_what}", shown, re.MULTILINE)
    assert found is not None, shown
    return float(found[1])
