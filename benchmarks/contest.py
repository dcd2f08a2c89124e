"""Rounds of a benchmark: every contender in turn, each in a process of its own, medians at the end.

Taking turns spreads what else the machine does over all contenders, and a fresh process means that
none profits from a virtual machine that another one warmed up.
"""

import argparse
import dataclasses
import json
import statistics
import subprocess
import sys
from typing import Any, Callable, Dict, List, Mapping

_MARK = "MEASURED "


@dataclasses.dataclass(frozen=True)
class Result:
    """One line of ``results.json``."""

    name: str
    value: float
    unit: str
    target: float
    met: bool
    measured: Mapping[str, float]

    def as_json(self) -> Dict[str, Any]:
        line = dataclasses.asdict(self)
        del line["name"]
        return line


def run_benchmark(
    contenders: Mapping[str, Callable[[], float]],
    judge: Callable[[Mapping[str, float]], Result],
    rounds: int = 3,
) -> None:
    """A benchmark's main program: measures the contenders and prints the judgement.

    :param contenders: what to measure; each returns one figure.
    :param judge: makes the result of the contenders' medians.
    :param rounds: how often every contender runs.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--contender", choices=list(contenders))
    parser.add_argument("--rounds", type=int, default=rounds)
    arguments = parser.parse_args()
    if arguments.contender:
        print(_MARK + json.dumps(contenders[arguments.contender]()), flush=True)
        return
    figures: Dict[str, List[float]] = {name: [] for name in contenders}
    for _ in range(arguments.rounds):
        for name, taken in figures.items():
            taken.append(measured_by([sys.argv[0], "--contender", name]))
            print(f"{name}: {taken[-1]:,.1f}", file=sys.stderr, flush=True)
    medians = {name: statistics.median(taken) for name, taken in figures.items()}
    report(judge(medians))


def report(*results: Result) -> None:
    """Prints the results of a benchmark for :func:`measured_by`."""
    print(_MARK + json.dumps([dataclasses.asdict(result) for result in results]), flush=True)


def measured_by(script: List[str]) -> Any:
    """Runs a script and returns what it printed as measured."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *script], stdout=subprocess.PIPE, text=True, check=True
    )
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            return json.loads(line[len(_MARK) :])
    raise RuntimeError(f"{script[0]} printed no figure")
