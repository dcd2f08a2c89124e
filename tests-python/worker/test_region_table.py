"""Who uses which part of shared memory."""

from typing import Dict, List

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyflink_async_batch._worker.region_table import PAGE_BYTES, RegionTable

PAGES = 64


def lowest_gap(taken: Dict[int, int], size: int) -> object:
    begin = 0
    for offset in sorted(taken):
        if offset - begin >= size:
            return begin
        begin = offset + taken[offset]
    return begin if PAGES * PAGE_BYTES - begin >= size else None


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(-64, 80_000), max_size=200))
def test_regions_are_disjoint_and_the_lowest_that_fit(steps: List[int]) -> None:
    """A positive step takes so many bytes, a negative one gives one of the regions back."""
    table = RegionTable(PAGES * PAGE_BYTES)
    taken: Dict[int, int] = {}
    for step in steps:
        if step > 0:
            offset = table.take(step)
            assert offset == lowest_gap(taken, step)
            if offset is not None:
                taken[offset] = -(-step // PAGE_BYTES) * PAGE_BYTES
        elif taken:
            offset = sorted(taken)[-step % len(taken)]
            table.give_back(offset)
            del taken[offset]
        assert table.taken_bytes() == sum(taken.values())
    for offset in taken:
        table.give_back(offset)
    assert table.take(PAGES * PAGE_BYTES) == 0


def test_what_was_not_taken_cannot_be_given_back() -> None:
    table = RegionTable(4 * PAGE_BYTES)
    assert table.take(2 * PAGE_BYTES) == 0
    with pytest.raises(KeyError):
        table.give_back(PAGE_BYTES)
    table.give_back(0)
    with pytest.raises(KeyError):
        table.give_back(0)
    with pytest.raises(ValueError, match="4097"):
        RegionTable(PAGE_BYTES + 1)
