"""The HTML report as a reader sees it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from flink_rest_stub import JOB, FlinkRestStub
from pyflink_async_batch._watch.cluster_reader import ClusterReader
from pyflink_async_batch._watch.flink_rest import FlinkRest
from pyflink_async_batch._watch.html_report import page
from pyflink_async_batch._watch.recording import record
from watched_page import WatchedPage

HOSTILE = (
    "</style></title></svg><script>alert(1)</script><img src=http://x.example/ onerror=alert(2)>"
)
SAMPLES = 20
Open = Callable[..., WatchedPage]


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """Of a job whose names mean harm, and whose figures move."""
    stub = FlinkRestStub()
    now = 0.0

    def wait(seconds: float) -> None:
        nonlocal now
        now += seconds
        turn = int(now / 2)
        stub.metric("totalRecordsProcessed", 40_000 + 900 * turn)
        stub.metric("inflightBatches", 16 - turn % 5)
        stub.metric("callsInFlight", 12 - turn % 5)
        stub.metric("backendCallsInFlight", 10)
        stub.metric("asyncCallDurationMs_median", 2 * (52 + turn % 7))

    stub.job["name"] = HOSTILE
    stub.metric("capacity", 32)
    stub.metric("concurrencyLimit", 24)
    stub.metric("workerRestarting", 1)
    for suffix, size in (("min", 2), ("median", 9), ("p75", 14), ("p90", 15), ("p95", 16)):
        stub.metric("batchSize_" + suffix, 2 * size)
    for suffix in ("p99", "max"):
        stub.metric("batchSize_" + suffix, 2 * 16)
    stub.rename(HOSTILE)
    try:
        reader = ClusterReader(FlinkRest(stub.url), lambda: now, rows=100_000)
        recording = record(reader, JOB, 2.0 * (SAMPLES - 1), 2.0, wait, lambda: now)
    finally:
        stub.close()
    file = tmp_path / "report.html"
    file.write_text(page(recording), encoding="utf-8")
    return file


@pytest.fixture
def opened(chromium: Any, report: Path) -> Iterator[Open]:
    pages = []

    def open_page(**settings: Any) -> WatchedPage:
        pages.append(WatchedPage(chromium, report, **settings))
        return pages[-1]

    yield open_page
    for shown in pages:
        shown.close()


def test_it_asks_for_nothing_and_complains_of_nothing(opened: Open) -> None:
    shown = opened()
    assert shown.requests == [shown.url]
    assert shown.troubles == []


def test_names_that_mean_harm_are_text(opened: Open) -> None:
    shown = opened()
    assert shown.page.locator("h1").inner_text() == HOSTILE
    assert shown.page.locator("h2").inner_text() == HOSTILE
    assert shown.page.title() == HOSTILE
    assert shown.page.locator("script, img").count() == 0


def test_what_got_into_the_page_anyhow_neither_runs_nor_loads(opened: Open) -> None:
    """The page's own policy forbids what escaping would have let through."""
    shown = opened()
    elsewhere = FlinkRestStub()
    try:
        shown.page.evaluate(
            "url => document.body.insertAdjacentHTML('beforeend',"
            " '<img onerror=alert(3) src=' + url + '/x>')",
            elsewhere.url,
        )
        shown.page.wait_for_function("document.images[0].complete")
        assert elsewhere.paths == []
    finally:
        elsewhere.close()
    assert shown.troubles
    assert [text for text in shown.troubles if "Content Security Policy" not in text] == []


def test_plots_are_drawn(opened: Open) -> None:
    shown = opened()
    pictures = shown.boxes("svg")
    assert len(pictures) >= 10
    assert min(box["width"] for box in pictures) > 250
    assert min(box["height"] for box in pictures) > 100
    # Lines are inside of the pictures, and as wide as the time.
    lines = shown.boxes("svg:has(title:text-is('Throughput')) polyline")
    (picture,) = shown.boxes("svg:has(title:text-is('Throughput'))")
    assert len(lines) == 1
    assert lines[0]["width"] > picture["width"] / 2
    in_flight = shown.boxes("svg:has(title:text-is('In flight')) polyline")
    assert len(in_flight) == 4
    assert max(box["height"] for box in in_flight) > 10
    bars = shown.boxes("svg:has(title:text-is('Batch sizes at the end')) rect")
    assert len(bars) == 8
    assert len({round(box["height"]) for box in bars}) > 3


def test_the_list_of_values_is_filled(opened: Open) -> None:
    shown = opened()
    titles = shown.page.locator("dt").all_inner_texts()
    values = shown.page.locator("dd").all_inner_texts()
    assert len(titles) == len(values) > 12
    by_title = dict(zip(titles, values))
    assert by_title["rows/s"] == "450"
    assert by_title["rows done"].startswith("57,100 of 100,000, 57%, 1m 35s left")
    assert by_title["in flight"].startswith("12/32, calls 8, limit 5/12")
    assert by_title["workers up/ restarting/ restarts"] == "2/1/0"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_it_can_be_read(opened: Open, scheme: str, width: int) -> None:
    shown = opened(color_scheme=scheme, viewport={"width": width, "height": 900})
    # Nothing makes the page wider than its window, not even a name without a space.
    assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    for selector in ("h1", "p", "dt", "dd", "svg text"):
        text, page_colour = shown.page.evaluate(COLOURS, selector)
        assert contrast(text, page_colour) > 4.5, selector
    dark = luminance(page_colour) < 0.2
    assert dark == (scheme == "dark")


COLOURS = """selector => {
  const style = getComputedStyle(document.querySelector(selector));
  const text = document.querySelector(selector).closest('svg') ? style.fill : style.color;
  return [text, getComputedStyle(document.body).backgroundColor];
}"""


def luminance(colour: str) -> float:
    """Relative, as WCAG has it, of a colour like ``rgb(1, 2, 3)``."""
    shares = [int(part) / 255 for part in colour[4:-1].split(",")]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    lighter, darker = sorted((luminance(first), luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)
