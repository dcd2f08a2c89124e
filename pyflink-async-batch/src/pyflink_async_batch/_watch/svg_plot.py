"""
Lines over time, and histograms, as SVG that stands in a page. Takes numbers and texts, and knows no
Flink.
"""

import math
from dataclasses import dataclass
from html import escape
from typing import List, Optional, Sequence, Tuple

_WIDTH, _HEIGHT = 460, 190
_KEYS_A_ROW, _KEY_HEIGHT = 4, 16
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 10, 26, 24
# Told apart by people who do not tell red from green; Okabe and Ito's.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")


@dataclass(frozen=True)
class Line:
    """
    One line of a plot.

    :param points: seconds and value; a value of None is a gap.
    """

    name: str
    points: Sequence[Tuple[float, Optional[float]]]


def plot(title: str, unit: str, lines: Sequence[Line]) -> str:
    """An ``svg`` element; empty if there is no value to draw."""
    values = [v for line in lines for _, v in line.points if v is not None and math.isfinite(v)]
    if not values:
        return ""
    times = [t for line in lines for t, _ in line.points]
    first, last = min(times), max(max(times), min(times) + 1)
    top = _nice(max(max(values), 0.0))

    def x(t: float) -> float:
        return _LEFT + (t - first) / (last - first) * (_WIDTH - _LEFT - _RIGHT)

    keys = -(-len(lines) // _KEYS_A_ROW) if len(lines) > 1 else 0
    parts = _frame(title, unit, top, _HEIGHT + keys * _KEY_HEIGHT)
    for t, anchor in ((first, "start"), (last, "end")):
        parts.append(
            '<text class="tick" text-anchor="%s" x="%.1f" y="%d">%.0f s</text>'
            % (anchor, x(t), _HEIGHT - 6, t - first)
        )
    for index, line in enumerate(lines):
        colour = _COLOURS[index % len(_COLOURS)]
        for run in _runs(line.points):
            drawn = " ".join("%.1f,%.1f" % (x(t), _y(v, top)) for t, v in run)
            if len(run) == 1:
                parts.append(
                    '<circle fill="%s" r="2.5" cx="%.1f" cy="%.1f"/>'
                    % (colour, x(run[0][0]), _y(run[0][1], top))
                )
            else:
                parts.append('<polyline fill="none" stroke="%s" points="%s"/>' % (colour, drawn))
        if keys:
            parts += _key(line.name, colour, index)
    return "".join([*parts, "</svg>"])


def bars(title: str, unit: str, bins: Sequence[Tuple[float, float]]) -> str:
    """
    A histogram as an ``svg`` element; empty if there is nothing to draw.

    :param unit: of the bins' ends.
    :param bins: the upper end of each, from 0 on and of equal width, and its share of all.
    """
    if not bins:
        return ""
    top = _nice(100 * max(share for _, share in bins))
    parts = _frame(title, "% of all", top, _HEIGHT)
    width = (_WIDTH - _LEFT - _RIGHT) / len(bins)
    for index, (end, share) in enumerate(bins):
        left = _LEFT + index * width
        height = _y(0, top) - _y(100 * share, top)
        parts.append(
            '<rect fill="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>'
            % (_COLOURS[0], left + 1, _y(100 * share, top), width - 2, height)
        )
        parts.append(
            '<text class="tick" text-anchor="end" x="%.1f" y="%d">%s</text>'
            % (left + width, _HEIGHT - 6, escape("%.4g" % end))
        )
    parts.append(
        '<text class="tick" text-anchor="end" x="%d" y="%d">%s</text>'
        % (_LEFT - 6, _HEIGHT - 6, escape(unit))
    )
    return "".join([*parts, "</svg>"])


def _key(name: str, colour: str, index: int) -> List[str]:
    """Which colour a line has, below the picture."""
    row, column = divmod(index, _KEYS_A_ROW)
    x = 8 + column * (_WIDTH - 8) // _KEYS_A_ROW
    y = _HEIGHT + 8 + row * _KEY_HEIGHT
    return [
        '<rect fill="%s" x="%d" y="%d" width="9" height="9"/>' % (colour, x, y - 8),
        '<text class="key" x="%d" y="%d">%s</text>' % (x + 14, y, escape(name)),
    ]


def _frame(title: str, unit: str, top: float, height: int) -> List[str]:
    """The beginning of a picture: its title, and lines from 0 to the top."""
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 %d %d">'
        % (_WIDTH, height),
        "<title>%s</title>" % escape(title),
        '<text class="title" x="4" y="15">%s</text>' % escape("%s, %s" % (title, unit)),
    ]
    for share in (0.0, 0.5, 1.0):
        y = _y(share * top, top)
        parts.append(
            '<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>'
            % (_LEFT, _WIDTH - _RIGHT, y, y)
        )
        parts.append(
            '<text class="tick" text-anchor="end" x="%d" y="%.1f">%s</text>'
            % (_LEFT - 6, y + 4, escape("%g" % (share * top)))
        )
    return parts


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)


def _runs(points: Sequence[Tuple[float, Optional[float]]]) -> List[List[Tuple[float, float]]]:
    """The parts of a line between its gaps."""
    runs: List[List[Tuple[float, float]]] = [[]]
    for t, v in points:
        if v is not None and math.isfinite(v):
            runs[-1].append((t, max(v, 0.0)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _nice(value: float) -> float:
    """The next of 1, 2, 4, 5, 10 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 5, 10) if value <= power * step * (1 + 1e-9))
