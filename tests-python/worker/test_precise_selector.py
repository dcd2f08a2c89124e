"""The event loop's selector: what it waits for, and how long it asks the platform to wait."""

import select
import selectors
import socket
import threading
from typing import Any, Iterator, List

import pytest
from pyflink_async_batch._worker import precise_selector
from pyflink_async_batch._worker.precise_selector import PreciseSelector

needs_epoll = pytest.mark.skipif(not hasattr(select, "epoll"), reason="other selectors are precise")


@pytest.fixture
def selector() -> Iterator[PreciseSelector]:
    with PreciseSelector() as made:
        yield made


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> List[Any]:
    """The timeouts that select() is called with, but for the threads of Py4J's callbacks."""
    timeouts: List[Any] = []
    really = select.select
    here = threading.get_ident()

    def watched(readable: Any, writable: Any, failed: Any, timeout: Any) -> Any:
        if threading.get_ident() == here:
            timeouts.append(timeout)
        return really(readable, writable, failed, timeout)

    monkeypatch.setattr(precise_selector.select, "select", watched)
    return timeouts


@pytest.mark.parametrize("timeout", [None, 0, 0.05, 30.0])
def test_what_is_ready_is_told_however_long_the_wait_may_be(
    selector: PreciseSelector, timeout: Any
) -> None:
    here, there = socket.socketpair()
    with here, there:
        selector.register(here, selectors.EVENT_READ, "data")
        there.send(b"x")
        assert [(key.data, mask) for key, mask in selector.select(timeout)] == [
            ("data", selectors.EVENT_READ)
        ]


def test_a_wait_in_which_nothing_happens_ends(selector: PreciseSelector) -> None:
    here, there = socket.socketpair()
    with here, there:
        selector.register(here, selectors.EVENT_READ)
        assert selector.select(0.0005) == []


@needs_epoll
def test_a_short_wait_is_not_rounded_to_milliseconds(
    selector: PreciseSelector, waits: List[Any]
) -> None:
    selector.select(0.0005)
    assert waits == [0.0005]


@needs_epoll
def test_other_waits_cost_no_second_call(selector: PreciseSelector, waits: List[Any]) -> None:
    here, there = socket.socketpair()
    with here, there:
        selector.register(here, selectors.EVENT_READ)
        there.send(b"x")
        for timeout in (None, 0, 30.0):
            selector.select(timeout)
    assert waits == []


@needs_epoll
def test_with_a_file_descriptor_that_select_does_not_take_waits_are_epolls(
    monkeypatch: pytest.MonkeyPatch, waits: List[Any]
) -> None:
    monkeypatch.setattr(precise_selector, "_SELECT_LIMIT", 0)
    with PreciseSelector() as selector:
        assert selector.select(0.0005) == []
    assert waits == []
