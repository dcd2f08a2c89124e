"""How values are spread, from the quantiles that Flink gives of a histogram."""

from typing import List, Mapping, Optional, Tuple

from pyflink_async_batch._watch.observation import Spread

# Flink's suffixes, and the share of values that are not larger.
_QUANTILES = (
    ("min", 0.0),
    ("median", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("max", 1.0),
)
SUFFIXES = tuple(suffix for suffix, _ in _QUANTILES)
_BINS = 8
_BARS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"


def bins(metrics: Mapping[str, Spread], name: str) -> Optional[List[Tuple[float, float]]]:
    """
    Bins of equal width from 0 to the largest value: the upper end of each, which belongs to it,
    and its share of all values. Between two quantiles values are taken to be spread evenly;
    quantiles of several subtasks are their mean. None while there is no value.
    """
    points = []
    for suffix, share in _QUANTILES:
        spread = metrics.get("%s_%s" % (name, suffix))
        if spread is None:
            return None
        points.append((spread.most if suffix == "max" else spread.mean, share))
    largest = points[-1][0]
    if largest <= 0:
        return None
    found = []
    below = 0.0
    for index in range(1, _BINS + 1):
        end = largest * index / _BINS
        reached = 1.0 if index == _BINS else _share_up_to(end, points)
        found.append((end, reached - below))
        below = reached
    return found


def sparkline(shares: Optional[List[Tuple[float, float]]]) -> Optional[str]:
    """The bins as a line of bars, the highest of which stands for the largest share."""
    if shares is None:
        return None
    highest = max(share for _, share in shares)
    return "".join(
        _BARS[round(share / highest * (len(_BARS) - 1))] if share > 0 else _NOTHING
        for _, share in shares
    )


def _share_up_to(value: float, points: "list[tuple[float, float]]") -> float:
    share = 0.0
    for (left, below), (right, above) in zip(points, points[1:]):
        if value >= right:
            share = above
        elif value > left:
            return below + (above - below) * (value - left) / (right - left)
    return share
