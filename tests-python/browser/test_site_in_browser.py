"""
The documentation's site, read from the disk. 'make docs' builds it and runs this; of another run
nobody knows whether the site is that of this tree.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from watched_page import WatchedPage

SITE = Path(__file__).resolve().parents[2] / "target" / "site"
PAGES = SITE / "docs"
SOURCES = SITE / "_sources" / "docs"

pytestmark = pytest.mark.skipif(
    "ASYNC_BATCH_SITE_IS_FRESH" not in os.environ,
    reason="'make docs' builds the site and runs this",
)


def diagrams() -> "dict[str, int]":
    """How many diagrams each page has that has any."""
    counts = {
        str(source.relative_to(SOURCES))[: -len(".md.txt")]: source.read_text(
            encoding="utf-8"
        ).count("\n```mermaid\n")
        for source in sorted(SOURCES.rglob("*.md.txt"))
    }
    return {name: count for name, count in counts.items() if count}


@pytest.fixture(params=["light", "dark"])
def shown(request: Any, chromium: Any) -> Iterator[Any]:
    pages = []

    def open_page(name: str) -> WatchedPage:
        pages.append(WatchedPage(chromium, PAGES / (name + ".html"), color_scheme=request.param))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()


def test_diagrams_are_drawn_without_a_network(shown: Any) -> None:
    assert len(diagrams()) >= 3
    for name, count in diagrams().items():
        page = shown(name)
        page.page.wait_for_function(
            "document.querySelectorAll('pre.mermaid svg').length == %d" % count
        )
        assert min(box["height"] for box in page.boxes("pre.mermaid svg")) > 50, name
        assert [url for url in page.requests if not url.startswith("file:")] == []
        assert page.troubles == [], name


@pytest.mark.parametrize("name", ["index", "tutorial", "reference/python", "watch"])
def test_pages_load_nothing_from_elsewhere(shown: Any, name: str) -> None:
    page = shown(name)
    assert [url for url in page.requests if not url.startswith("file:")] == []
    assert page.troubles == []
