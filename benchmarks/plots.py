"""Draws ``results.json`` and ``sweep.json`` as SVG, into ``plots`` beside this file."""

import json
import pathlib
from typing import Any, Callable, Mapping

import matplotlib as mpl

mpl.use("svg")

import matplotlib.pyplot as plt
import numpy as np
import results_table

_PLOTS = pathlib.Path(__file__).resolve().parent / "plots"
_MEGA = 1e6

# The same figures make the same files: no random ids, no date.
mpl.rcParams.update(
    {
        "svg.hashsalt": "async-batch",
        "figure.figsize": (7, 4),
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.alpha": 0.3,
    }
)

Curve = Mapping[str, Any]


def contest(lines: Mapping[str, Any]) -> None:
    """Rows per second of everyone who moved rows through a no-op."""
    rates = {}
    for name, line in lines.items():
        if name.startswith("noop_"):
            rates.update(line["measured"])
    ranked = sorted(rates.items(), key=lambda entry: entry[1])
    _, axes = plt.subplots()
    # Points and not bars, whose lengths would mean nothing on an axis without a zero.
    axes.plot([rate for _, rate in ranked], [name for name, _ in ranked], "o")
    for row, (_, rate) in enumerate(ranked):
        axes.annotate(f"{rate:,.0f}", (rate, row), (8, 8), textcoords="offset points")
    axes.set_xscale("log")
    axes.set_xlim(right=10 * ranked[-1][1])
    axes.margins(y=0.2)
    axes.set_xlabel("rows/s, LONG to LONG through a no-op, batches of 256, parallelism 1")
    save("noop")


def batch_sizes(curves: Mapping[str, Curve]) -> None:
    """Rows per second, and what a row costs, over the size of batches."""
    longs = {name: curve for name, curve in curves.items() if curve["each"]["of"] == "row"}
    _over_size(
        "batch_size",
        longs,
        lambda size, seconds: size / seconds,
        "rows/s",
        "rows a batch",
    )
    _over_size(
        "batch_cost",
        longs,
        lambda size, seconds: seconds * _MEGA,
        "µs a batch",
        "rows a batch",
    )


def row_sizes(curves: Mapping[str, Curve]) -> None:
    """Payload per second over the size of rows."""
    arrays = {name: curve for name, curve in curves.items() if curve["each"]["of"] == "byte"}
    _over_size(
        "row_size",
        arrays,
        lambda size, seconds: size / seconds / _MEGA,
        "MB/s",
        "bytes a row, batches of 16",
    )


def _over_size(
    name: str,
    curves: Mapping[str, Curve],
    shown: Callable[[Any, Any], Any],
    y_label: str,
    x_label: str,
) -> None:
    """Draws what was measured as points and what the fitted costs say as lines.

    :param shown: what to show of a size and the seconds that it takes.
    """
    _, axes = plt.subplots()
    for label, curve in curves.items():
        sizes = np.array([float(size) for size in curve["seconds"]])
        seconds = np.array(list(curve["seconds"].values()))
        (points,) = axes.plot(sizes, shown(sizes, seconds), "o", label=label)
        fine = np.geomspace(sizes[0], sizes[-1], 100)
        costs = curve["constant"]["us"] / 1e6 + fine * curve["each"]["ns"] / 1e9
        axes.plot(fine, shown(fine, costs), color=points.get_color(), linewidth=1)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend()
    save(name)


def save(name: str) -> None:
    """Writes the current figure under a name, and closes it."""
    _PLOTS.mkdir(exist_ok=True)
    plt.tight_layout()
    plt.savefig(_PLOTS / f"{name}.svg", metadata={"Date": None})
    plt.close()


def main() -> None:
    contest(json.loads(results_table.RESULTS_JSON.read_text(encoding="utf-8")))
    curves = json.loads(results_table.SWEEP_JSON.read_text(encoding="utf-8"))
    batch_sizes(curves)
    row_sizes(curves)


if __name__ == "__main__":
    main()
