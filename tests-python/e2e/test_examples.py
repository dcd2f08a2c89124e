"""The examples that need no more than this environment, run as users run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_embeddings_of_unseen_images_lie_beside_those_of_the_same_digit(tmp_path: Path) -> None:
    # PyFlink ran functions of other tests in this process, and with that forbade it to start a JVM.
    environment = {k: v for k, v in os.environ.items() if k != "PYFLINK_GATEWAY_DISABLED"}
    ran = subprocess.run(
        [sys.executable, EXAMPLES / "image_embeddings.py", "--batch-size", "100"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    shown = re.search(r"^(\d+\.\d+)% of unseen images", ran.stdout, re.MULTILINE)
    assert shown is not None, ran.stdout
    assert float(shown[1]) > 95
