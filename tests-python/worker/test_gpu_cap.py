"""The cap on a real GPU, with PyTorch; skipped where there is none."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "gpu_cap.py"


def _has_gpu() -> bool:
    if find_spec("torch") is None:
        return False
    check = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.skipif(not _has_gpu(), reason="needs PyTorch and a GPU")
@pytest.mark.parametrize("cap", [["--share", "0.1"], ["--memory-bytes", "1073741824"]])
def test_what_is_above_the_cap_is_refused(cap: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), *cap], stdout=subprocess.PIPE, check=True, text=True
    )
    below, above = done.stdout.splitlines()[1:]
    assert below.startswith("below the cap: ")
    assert " refused: " in above
