"""Rates of counters that are read at other times than they are renewed."""

from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyflink_async_batch._watch.growth import Growth


def rate(*samples: tuple[float, float]) -> Optional[float]:
    growth = Growth()
    for at, value in samples:
        growth.add(at, value)
    return growth.per_second()


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([(0, 5)], None),
        ([(0, 5), (2, 25)], None),
        ([(0, 5), (2, 25), (4, 45)], 10),
        ([(0, 0), (1, 0), (2, 100), (3, 100), (12, 200), (13, 200)], 10),
        ([(0, 0), (30, 0), (59, 0)], None),
        ([(0, 0), (30, 0), (60, 0)], 0),
        ([(0, 0), (2, 20), (4, 40), (9, 40)], 10),
        ([(0, 0), (2, 20), (4, 40), (11, 40)], 0),
        # A restart: the counter begins anew, and so does what is known of it.
        ([(0, 500), (2, 520), (4, 540), (6, 10)], None),
        ([(0, 500), (2, 520), (4, 540), (6, 10), (8, 30), (10, 50)], 10),
        # Only the last minute counts.
        ([(0, 0), (1, 1000), (30, 1010), (61, 1020), (92, 1030)], 10 / 31),
    ],
)
def test_rates(samples: list[tuple[float, float]], expected: Optional[float]) -> None:
    assert rate(*samples) == (None if expected is None else pytest.approx(expected))


@given(
    per_second=st.integers(1, 100_000),
    renewed_every=st.floats(0.5, 15),
    read_every=st.floats(0.5, 10),
)
def test_a_steady_rate_is_found_however_it_is_read(
    per_second: int, renewed_every: float, read_every: float
) -> None:
    growth = Growth()
    changes = []
    for index in range(int(120 / read_every)):
        at = index * read_every
        renewed = int(at / renewed_every) * renewed_every
        value = int(renewed * per_second)
        if not changes or changes[-1][1] != value:
            changes.append((at, value))
        growth.add(at, value)
        found = growth.per_second()
        if found is not None and len(changes) > 2:
            # A change is seen up to one reading late, at either end of what is looked at.
            span = min(60 - renewed_every - read_every, changes[-1][0] - changes[1][0])
            off = max(read_every, renewed_every) / span
            assert per_second * (1 - 2 * off) - 1 <= found <= per_second * (1 + 2 * off) + 1
    assert growth.per_second() is not None
