"""What the benchmark with a server's process makes of the calls that the server wrote down."""

import math
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import overload_process

SPANS = {
    "steady": (0.0, 10.0),
    "slow": (10.0, 20.0),
    "after slow": (20.0, 30.0),
    "away": (30.0, 50.0),
    "after away": (50.0, 60.0),
}


def regular(begin: float, end: float, took: float = 0.5) -> list[overload_process.Call]:
    """Ten batches of 64 rows a second, each answered after a while."""
    first, last = round(begin * 10), round(end * 10)
    return [(i, i / 10, i / 10 + took, 64, 200) for i in range(first, last)]


def test_a_batch_takes_from_its_first_call_to_its_results() -> None:
    calls = [
        *regular(-1, 10),
        ("refused", 1.0, 1.0, 64, 429),
        ("refused", 2.0, 2.0, 64, 429),
        ("refused", 8.0, 9.0, 64, 200),
    ]
    figures = overload_process._figures(calls, {"steady": SPANS["steady"]})
    assert figures["rows/s"] == pytest.approx(646.4)
    # The hundred and first took eight seconds.
    assert 500 < figures["p99 ms"] < 8_000
    assert figures["failed"] == pytest.approx(2 / 103)


def test_an_outage_is_counted_by_who_calls_and_ends_with_two_good_seconds() -> None:
    calls = [
        *regular(-1, 30, 0.0),
        *((f"probe {i}", 30.0 + i, 30.0 + i, 64, 0) for i in range(20)),
        *regular(53, 60, 0.0),
    ]
    figures = overload_process._figures(calls, SPANS)
    assert figures["failed while slow"] == 0
    assert figures["s to recover from slow"] == 0
    assert figures["calls while away"] == pytest.approx(20 / 200)
    assert figures["s to recover from away"] == pytest.approx(3.0)


def test_who_never_recovers_meets_no_target() -> None:
    figures = overload_process._figures(regular(-1, 30), SPANS)
    assert figures["s to recover from away"] == math.inf
