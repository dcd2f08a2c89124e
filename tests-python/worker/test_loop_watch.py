"""What is written down when something blocks the event loop, and that it turns otherwise."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Callable

import pytest
from pyflink_async_batch._worker.loop_watch import LoopWatch

STALL_SECONDS = 0.2
INTERVAL_SECONDS = 0.02


class Reports(logging.Handler):
    """Lets a test wait for what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.came = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
        self.came.set()


@pytest.fixture
def reports() -> Iterator[Reports]:
    handler = Reports()
    logger = logging.getLogger(LoopWatch.__module__)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def watch_during(
    body: Callable[[], object],
    stall_seconds: float = STALL_SECONDS,
    beat: Callable[[], None] = lambda: None,
) -> None:
    async def run() -> None:
        watch = LoopWatch("jobs.Model", stall_seconds, INTERVAL_SECONDS, beat)
        watch.start()
        try:
            result = body()
            if asyncio.iscoroutine(result):
                await result
        finally:
            watch.stop()
            watch.stop()

    asyncio.run(run())


def test_what_blocks_the_loop_is_named_with_its_stack(reports: Reports) -> None:
    def blocking_model() -> None:
        assert reports.came.wait(10)

    async def invoke() -> None:
        blocking_model()

    watch_during(invoke)
    (text,) = reports.texts
    assert "in jobs.Model has blocked the event loop for" in text
    assert "in invoke" in text
    assert "in blocking_model" in text
    assert "test_loop_watch.py" in text


def test_a_loop_that_turns_beats_and_nothing_is_reported(reports: Reports) -> None:
    beats = 0

    async def until_it_has_beaten_often() -> None:
        done = asyncio.Event()

        def look() -> None:
            if beats > 20:
                done.set()
            else:
                asyncio.get_running_loop().call_later(INTERVAL_SECONDS, look)

        look()
        await done.wait()

    def beat() -> None:
        nonlocal beats
        beats += 1

    # Far more than a busy machine keeps a thread waiting for its turn.
    watch_during(until_it_has_beaten_often, 60.0, beat)
    assert reports.texts == []


def test_what_runs_after_the_end_may_block(reports: Reports) -> None:
    async def run() -> None:
        watch = LoopWatch("jobs.Model", STALL_SECONDS, INTERVAL_SECONDS, lambda: None)
        watch.start()
        watch.stop()
        assert not reports.came.wait(3 * STALL_SECONDS)

    asyncio.run(run())
