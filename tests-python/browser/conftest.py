"""
A headless Chromium, and the page that each test has in it.

It is the one in $CHROMIUM, the one that 'make browser' unpacked, or one that is on the PATH.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE_MS = 120_000
ROOT = Path(__file__).resolve().parents[2]
UNPACKED = ROOT / "target" / "browser"
sys.path.insert(0, str(ROOT / "tests-python" / "watch"))


def program() -> Path:
    named = os.environ.get("CHROMIUM")
    if named:
        return Path(named)
    if (UNPACKED / "chromium").exists():
        return UNPACKED / "chromium"
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return Path(found)
    pytest.skip("no Chromium: 'make browser' fetches one for Linux on x86-64, or set CHROMIUM")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Of a module and not longer: its event loop would be in the way of other tests' loops."""
    api = pytest.importorskip(
        "playwright.sync_api", reason="no playwright: 'make browser' installs it"
    )
    found = program()
    own = found.parent == UNPACKED
    environment = {
        **os.environ,
        **(
            {
                "LD_LIBRARY_PATH": str(UNPACKED / "lib"),
                "FONTCONFIG_FILE": str(UNPACKED / "fonts.conf"),
            }
            if own
            else {}
        ),
    }
    with api.sync_playwright() as playwright:
        # Pages are our own, and containers seldom allow the sandbox's namespaces.
        browser = playwright.chromium.launch(
            executable_path=str(found), args=["--no-sandbox"], env=environment, timeout=PATIENCE_MS
        )
        yield browser
        browser.close()
