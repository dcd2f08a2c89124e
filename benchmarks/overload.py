"""How much a backend is asked to do at a time, and what comes of it, in virtual time.

``make overload`` runs ``benchmarks/overload``: a model of a GPU server with a knee, clients whose
calls are held back by the product's own Java classes or by a peer, and six traces. It judges what
came out, writes ``overload.json`` beside this file, the plots, and the tables in
``docs/overload.md``. The figures depend on nothing but the code: the same everywhere, by seed.

What is compared is rows per second divided by the p99 of calls, from a batch's first call to its
results, retries and back-off included. Figures are medians over the seeds.
"""

import json
import pathlib
import statistics
import subprocess
import sys
from typing import Any, Callable, Dict, List, Mapping, Sequence

import overload_plots
import overload_table
from contest import Result

_ROOT = pathlib.Path(__file__).resolve().parents[1]
_CLASSES = [
    _ROOT / "benchmarks" / "overload" / "target" / "classes",
    _ROOT / "flink-python-async-batch-java" / "target" / "classes",
]
_MAIN = "io.asyncbatch.flink.benchmark.overload.OverloadBenchmark"

_OURS = "adaptive"
_STEADY = "steady"
_BEST_STATIC = "fixed 1"
_SHARED = "4 clients"
# Shown, but not one of the peers that the targets name.
_TODAY = "capacity 1"

_SLOW_CALLS = "slow calls"
_HEDGED = ", hedged"

# Of traces with an event: seconds in which nothing has happened yet, and those in which it does.
_BEFORE = slice(60, 80)
_EVENT_BEGINS, _EVENT_ENDS = 80, 140
_RECOVERED = 0.95
_RECOVERY_WINDOW = 2
_TRACES_TO_WIN = 4

Run = Mapping[str, Any]


def main() -> int:
    outcome = _simulate()
    runs: List[Run] = outcome["runs"]
    figures = _figures(runs)
    tails = _tail_figures(outcome["tails"])
    results = [*_judge(runs, figures, outcome["best"]), *_judge_hedging(tails)]
    lines = {result.name: result.as_json() for result in results}
    overload_table.RESULTS_JSON.write_text(
        json.dumps(
            {
                "best": outcome["best"],
                "results": lines,
                "figures": figures,
                "tails": tails,
            },
            indent=2,
        )
        + "\n",
        encoding="utf-8",
    )
    overload_table.write_page()
    overload_plots.draw(outcome)
    print(overload_table.sections()["targets"])
    print(overload_table.sections()["peers"])
    print(overload_table.sections()["hedging"])
    return 0 if all(result.met for result in results) else 1


def _simulate() -> Dict[str, Any]:
    done = subprocess.run(
        ["java", "-XX:+UseSerialGC", "-cp", ":".join(map(str, _CLASSES)), _MAIN],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def _figures(runs: Sequence[Run]) -> Dict[str, Dict[str, Dict[str, float]]]:
    """Medians over the seeds, by trace and policy."""
    figures: Dict[str, Dict[str, Dict[str, float]]] = {}
    for run in runs:
        figures.setdefault(run["trace"], {}).setdefault(run["policy"], {})
    for trace, policies in figures.items():
        for policy, line in policies.items():
            line["rows_per_second"] = _median(
                runs, trace, policy, lambda run: run["rows_per_second"]
            )
            line["p99_ms"] = _median(runs, trace, policy, lambda run: run["p99_ms"])
            line["score"] = _median(
                runs, trace, policy, lambda run: run["rows_per_second"] / run["p99_ms"]
            )
    return figures


def _median(runs: Sequence[Run], trace: str, policy: str, figure: Callable[[Run], float]) -> float:
    return statistics.median(
        figure(run) for run in runs if run["trace"] == trace and run["policy"] == policy
    )


def _judge(
    runs: Sequence[Run], figures: Mapping[str, Mapping[str, Mapping[str, float]]], best: int
) -> List[Result]:
    ours = figures[_STEADY][_OURS]
    static = figures[_STEADY][_BEST_STATIC]
    steady = {
        "adaptive rows/s": ours["rows_per_second"],
        f"fixed {best} rows/s": static["rows_per_second"],
    }
    p99 = {"adaptive p99": ours["p99_ms"], f"fixed {best} p99": static["p99_ms"]}
    results = [
        Result(
            "steady_throughput",
            ours["rows_per_second"] / static["rows_per_second"],
            "of the best static setting's rows/s",
            "at least",
            0.95,
            steady,
        ),
        Result(
            "steady_p99",
            ours["p99_ms"] / static["p99_ms"],
            "times the best static setting's p99",
            "at most",
            1.3,
            p99,
        ),
        _over_seeds(
            runs, "slow-down", "slow_errors", _failed_share, "of calls fail", "at most", 0.01
        ),
        _over_seeds(
            runs, "slow-down", "slow_recovery", _recovery, "s to 95% of before", "at most", 10
        ),
        _over_seeds(
            runs, "outage", "outage_calls", _calls_in_event, "of the normal rate", "at most", 0.02
        ),
        _over_seeds(
            runs, "outage", "outage_oldest", _oldest, "s the oldest batch is held", "at most", 5
        ),
        _over_seeds(
            runs, "outage", "outage_recovery", _recovery, "s to 95% of before", "at most", 5
        ),
        _over_seeds(runs, _SHARED, "sharing_fairness", _jain, "Jain's index", "at least", 0.95),
        Result(
            "sharing_throughput",
            figures[_SHARED][_OURS]["rows_per_second"] / static["rows_per_second"],
            "of the best static setting's rows/s",
            "at least",
            0.9,
            {"adaptive rows/s": figures[_SHARED][_OURS]["rows_per_second"]},
        ),
    ]
    peers = [policy for policy in figures[_STEADY] if policy not in (_OURS, _TODAY)]
    for peer in peers:
        won = {
            trace: policies[_OURS]["score"] / policies[peer]["score"]
            for trace, policies in figures.items()
        }
        results.append(
            Result(
                f"better_than_{peer.replace(' ', '_').replace('/', '_')}".lower(),
                sum(ratio > 1 for ratio in won.values()),
                "of 6 traces, rows/s / p99",
                "at least",
                _TRACES_TO_WIN,
                won,
            )
        )
    worst = {
        trace: min(policies[peer]["score"] for peer in peers) / policies[_OURS]["score"]
        for trace, policies in figures.items()
    }
    results.append(
        Result(
            "worst_of_all",
            sum(ratio >= 1 for ratio in worst.values()),
            "of 6 traces",
            "at most",
            0,
            worst,
        )
    )
    return results


def _tail_figures(tails: Sequence[Run]) -> Dict[str, Dict[str, Dict[str, float]]]:
    """Medians over the seeds, by trace and policy; of extra calls the most of a seed."""
    figures: Dict[str, Dict[str, Dict[str, float]]] = {}
    for run in tails:
        figures.setdefault(run["trace"], {}).setdefault(run["policy"], {})
    for trace, policies in figures.items():
        for policy, line in policies.items():
            for figure in ("rows_per_second", "p50_ms", "p99_ms"):
                line[figure] = _median(tails, trace, policy, lambda run, figure=figure: run[figure])
            line["extra_calls"] = max(
                _extra_calls(run)
                for run in tails
                if run["trace"] == trace and run["policy"] == policy
            )
    return figures


def _extra_calls(run: Run) -> float:
    return float(run["hedges"] / (run["calls"] - run["hedges"]))


def _judge_hedging(figures: Mapping[str, Mapping[str, Mapping[str, float]]]) -> List[Result]:
    calm = figures[_SLOW_CALLS]
    extra = {
        f"{trace}, {policy}": line["extra_calls"]
        for trace, policies in figures.items()
        for policy, line in policies.items()
        if policy.endswith(_HEDGED)
    }
    return [
        Result(
            "hedging_p99",
            calm[_OURS + _HEDGED]["p99_ms"] / calm[_OURS]["p99_ms"],
            "times the p99 without second calls",
            "at most",
            0.5,
            {"hedged p99": calm[_OURS + _HEDGED]["p99_ms"], "p99": calm[_OURS]["p99_ms"]},
        ),
        Result(
            "hedging_calls",
            max(extra.values()),
            "second calls a first call, in any trace",
            "at most",
            # The share of the budget; its reserve of ten in ten seconds is 2% more at these rates.
            0.12,
            extra,
        ),
    ]


def _over_seeds(
    runs: Sequence[Run],
    trace: str,
    name: str,
    figure: Callable[[Run], float],
    unit: str,
    bound: str,
    target: float,
) -> Result:
    """The worst of all seeds, not the median: these are promises."""
    values = {
        f"seed {run['seed']}": figure(run)
        for run in runs
        if run["trace"] == trace and run["policy"] == _OURS
    }
    worst = max(values.values()) if bound == "at most" else min(values.values())
    return Result(name, worst, unit, bound, target, values)


def _failed_share(run: Run) -> float:
    during = slice(_EVENT_BEGINS, _EVENT_ENDS)
    return sum(run["failures"][during]) / sum(run["calls"][during])


def _calls_in_event(run: Run) -> float:
    normal = statistics.mean(run["calls"][_BEFORE])
    return sum(run["calls"][_EVENT_BEGINS:_EVENT_ENDS]) / (normal * (_EVENT_ENDS - _EVENT_BEGINS))


def _recovery(run: Run) -> float:
    """Seconds after the event until rows per second are what they were, and stay so for two."""
    enough = _RECOVERED * statistics.mean(run["rows"][_BEFORE])
    seconds = len(run["rows"])
    for begin in range(_EVENT_ENDS, seconds - _RECOVERY_WINDOW):
        if statistics.mean(run["rows"][begin : begin + _RECOVERY_WINDOW]) >= enough:
            return begin - _EVENT_ENDS
    return seconds - _EVENT_ENDS


def _oldest(run: Run) -> float:
    return float(run["oldest_held_s"])


def _jain(run: Run) -> float:
    rows = run["rows_of_clients"]
    return float(sum(rows) ** 2 / (len(rows) * sum(each**2 for each in rows)))


if __name__ == "__main__":
    sys.exit(main())
