"""Draws limit, latency and throughput over time of the traces of ``overload.py``."""

import math
from typing import Any, Dict, List, Mapping

import matplotlib.pyplot as plt
from plots import save

_SEED = 1
_SMOOTHED_SECONDS = 2

# The peers that tell most; the others are in the table.
_SHOWN = {
    "fixed 1": "tab:gray",
    "fixed 3": "tab:red",
    "AIMD": "tab:orange",
    "Gradient2": "tab:purple",
    "adaptive": "tab:blue",
}


def draw(outcome: Mapping[str, Any]) -> None:
    """One figure a trace, and one of the sweep."""
    traces: Dict[str, List[Mapping[str, Any]]] = {}
    for run in outcome["runs"]:
        if run["seed"] == _SEED and run["policy"] in _SHOWN:
            traces.setdefault(run["trace"], []).append(run)
    for trace, runs in traces.items():
        _trace(trace, sorted(runs, key=lambda run: list(_SHOWN).index(run["policy"])))
    _sweep(outcome["sweep"], outcome["best"])


def _trace(trace: str, runs: List[Mapping[str, Any]]) -> None:
    _, (limit, latency, rows) = plt.subplots(3, sharex=True, figsize=(8, 7))
    for run in runs:
        style = {
            "label": run["policy"],
            "color": _SHOWN[run["policy"]],
            "linewidth": 1.6 if run["policy"] == "adaptive" else 0.9,
        }
        seconds = range(len(run["limits"]))
        limit.plot(seconds, run["limits"], **style)
        # A gap where nothing was done.
        latency.plot(
            seconds,
            [p99 / 1e3 if p99 > 0 else math.nan for p99 in run["p99_ms_of_second"]],
            **style,
        )
        rows.plot(seconds, _smoothed(run["rows"]), **style)
    limit.set_ylabel("limit, calls")
    limit.set_ylim(0, 70)
    limit.set_title(trace)
    latency.set_ylabel("p99 of a second, s")
    latency.set_yscale("log")
    rows.set_ylabel("rows/s")
    rows.set_ylim(bottom=0)
    rows.set_xlabel("virtual seconds")
    limit.legend(ncol=len(runs), fontsize="small", loc="upper center")
    save("overload_" + trace.replace(" ", "_").replace("-", "_"))


def _smoothed(values: List[float]) -> List[float]:
    return [
        sum(values[max(0, at - _SMOOTHED_SECONDS + 1) : at + 1])
        / len(values[max(0, at - _SMOOTHED_SECONDS + 1) : at + 1])
        for at in range(len(values))
    ]


def _sweep(points: List[Mapping[str, float]], best: int) -> None:
    _, rows = plt.subplots()
    limits = [point["limit"] for point in points]
    rows.plot(limits, [point["rows_per_second"] for point in points], color="tab:blue")
    rows.axvline(best, color="tab:gray", linewidth=0.8)
    rows.set_xlabel("fixed concurrency; the line is the best")
    rows.set_ylabel("rows/s", color="tab:blue")
    rows.set_ylim(bottom=0)
    latency = rows.twinx()
    latency.grid(visible=False)
    latency.plot(limits, [point["p99_ms"] / 1e3 for point in points], color="tab:red")
    latency.set_ylabel("p99, s", color="tab:red")
    latency.set_yscale("log")
    save("overload_sweep")
