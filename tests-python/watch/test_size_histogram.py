"""A spread that is read off quantiles."""

import pytest
from pyflink_async_batch._watch.observation import Spread
from pyflink_async_batch._watch.size_histogram import SUFFIXES, bins, sparkline


def metrics(*quantiles: float) -> dict[str, Spread]:
    assert len(quantiles) == len(SUFFIXES)
    return {
        "size_" + suffix: Spread(2 * value, value, value, value)
        for suffix, value in zip(SUFFIXES, quantiles)
    }


def shares(*quantiles: float) -> list[float]:
    found = bins(metrics(*quantiles), "size")
    assert found is not None
    assert sum(share for _, share in found) == pytest.approx(1)
    return [round(share, 3) for _, share in found]


def test_values_that_are_all_the_same_are_in_one_bin() -> None:
    assert shares(*[64] * 7) == [0, 0, 0, 0, 0, 0, 0, 1]
    assert sparkline(bins(metrics(*[64] * 7), "size")) == "·······█"


def test_evenly_spread_values_fill_all_bins_alike() -> None:
    assert shares(0, 50, 75, 90, 95, 99, 100) == [0.125] * 8
    assert sparkline(bins(metrics(0, 50, 75, 90, 95, 99, 100), "size")) == "████████"


def test_a_value_at_the_end_of_a_bin_belongs_to_it() -> None:
    # Half of the batches have exactly 8 rows, and the largest 64; the first bin ends at 8.
    assert shares(8, 8, 64, 64, 64, 64, 64) == pytest.approx([0.5, *[0.036] * 6, 0.286], abs=0.001)


def test_the_ends_are_multiples_of_an_eighth_of_the_largest() -> None:
    found = bins(metrics(1, 2, 3, 4, 5, 6, 16), "size")
    assert found is not None
    assert [end for end, _ in found] == [2, 4, 6, 8, 10, 12, 14, 16]


def test_without_values_there_is_no_spread() -> None:
    assert bins({}, "size") is None
    assert bins(metrics(*[0] * 7), "size") is None
    assert sparkline(None) is None
