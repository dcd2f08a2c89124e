"""Which waiting batches become one call, whatever comes and ends in whatever order."""

from typing import Dict, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pyflink_async_batch._worker.coalescer import Call, Coalescer

MOST_ROWS = 8
MOST_BYTES = 100


def calls_of(coalescer: "Coalescer[str]") -> List[Call[str]]:
    calls = []
    while True:
        call = coalescer.next_call()
        if call is None:
            return calls
        calls.append(call)


def coalescer(most_calls: int = 1) -> "Coalescer[str]":
    return Coalescer(MOST_ROWS, MOST_BYTES, most_calls)


def test_batches_that_came_together_are_one_call() -> None:
    batches = coalescer()
    for name in "abc":
        batches.add(name, 2, 1)
    assert calls_of(batches) == [Call(("a", "b", "c"), is_full=False)]


@pytest.mark.parametrize(("rows", "size"), [(3, 1), (1, 40)], ids=["rows", "bytes"])
def test_a_call_holds_no_more_than_its_bounds(rows: int, size: int) -> None:
    batches = coalescer(most_calls=2)
    for name in "abc":
        batches.add(name, rows, size)
    assert calls_of(batches) == [Call(("a", "b"), is_full=True), Call(("c",), is_full=False)]


def test_a_batch_beyond_the_bounds_is_a_call_of_its_own() -> None:
    batches = coalescer()
    batches.add("large", MOST_ROWS + 1, MOST_BYTES + 1)
    batches.add("small", 1, 1)
    assert calls_of(batches) == [Call(("large",), is_full=True), Call(("small",), is_full=False)]


def test_batches_wait_for_each_other_while_as_many_calls_run_as_may() -> None:
    batches = coalescer()
    batches.add("a", 2, 1)
    (first,) = calls_of(batches)
    batches.add("b", 2, 1)
    batches.add("c", 2, 1)
    assert calls_of(batches) == []
    batches.ended(first)
    assert calls_of(batches) == [Call(("b", "c"), is_full=False)]


def test_a_full_call_waits_for_nothing_and_counts_for_nothing() -> None:
    batches = coalescer()
    batches.add("full", MOST_ROWS, 1)
    batches.add("a", 4, 1)
    full, first = calls_of(batches)
    batches.add("b", 4, 1)
    assert calls_of(batches) == []
    batches.add("c", 4, 1)
    assert calls_of(batches) == [Call(("b", "c"), is_full=True)]
    batches.ended(full)
    batches.add("d", 1, 1)
    assert calls_of(batches) == []
    batches.ended(first)
    assert calls_of(batches) == [Call(("d",), is_full=False)]


def test_a_batch_that_is_withdrawn_is_in_no_call() -> None:
    batches = coalescer()
    batches.add("a", 1, 1)
    batches.add("b", 1, 1)
    assert batches.withdraw("a")
    assert calls_of(batches) == [Call(("b",), is_full=False)]
    assert not batches.withdraw("b")


class AnyOrder(RuleBasedStateMachine):
    """The rules of the queue, after any history."""

    MOST_CALLS = 2

    def __init__(self) -> None:
        super().__init__()
        self.batches: Coalescer[int] = Coalescer(MOST_ROWS, MOST_BYTES, self.MOST_CALLS)
        self.waiting: Dict[int, Tuple[int, int]] = {}
        self.running: List[Call[int]] = []
        self.added = 0

    @rule(rows=st.integers(1, MOST_ROWS + 2), size=st.integers(0, MOST_BYTES + 10))
    def add(self, rows: int, size: int) -> None:
        self.added += 1
        self.batches.add(self.added, rows, size)
        self.waiting[self.added] = (rows, size)

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from(sorted(self.waiting)))
        assert self.batches.withdraw(batch)
        del self.waiting[batch]

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        position = data.draw(st.integers(0, len(self.running) - 1))
        self.batches.ended(self.running.pop(position))

    @rule()
    def start(self) -> None:
        call = self.batches.next_call()
        while call is not None:
            # Nothing is overtaken, lost or given out twice.
            assert list(call.batches) == list(self.waiting)[: len(call.batches)]
            weights = [self.waiting.pop(batch) for batch in call.batches]
            rows, size = (sum(each) for each in zip(*weights))
            assert len(weights) == 1 or (rows <= MOST_ROWS and size <= MOST_BYTES)
            following = next(iter(self.waiting.values()), (0, 0))
            fits = rows + following[0] <= MOST_ROWS and size + following[1] <= MOST_BYTES
            has_room = rows < MOST_ROWS and size < MOST_BYTES
            assert call.is_full == (not has_room or not fits)
            self.running.append(call)
            call = self.batches.next_call()
        # Nothing waits that could run.
        if self.waiting:
            assert self.partial_calls() == self.MOST_CALLS
            rows, size = (sum(each) for each in zip(*self.waiting.values()))
            assert rows < MOST_ROWS
            assert size < MOST_BYTES

    def partial_calls(self) -> int:
        return sum(not call.is_full for call in self.running)

    @invariant()
    def no_more_calls_run_than_may(self) -> None:
        assert self.partial_calls() <= self.MOST_CALLS


TestAnyOrder = AnyOrder.TestCase


@given(st.lists(st.tuples(st.integers(1, 10), st.integers(0, 120)), max_size=30))
def test_with_room_for_all_everything_runs_at_once(batches: List[Tuple[int, int]]) -> None:
    queue: Coalescer[int] = Coalescer(MOST_ROWS, MOST_BYTES, most_calls=1)
    for number, (rows, size) in enumerate(batches):
        queue.add(number, rows, size)
    given_out = [batch for call in calls_of(queue) for batch in call.batches]  # type: ignore[arg-type]
    assert given_out == list(range(len(batches)))
