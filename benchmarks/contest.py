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
from typing import Any, Callable, Dict, List, Mapping, Sequence, Union

_MARK = "MEASURED "

Medians = Mapping[str, float]
Contender = Callable[[], Union[float, Mapping[str, float]]]


class NotAvailableError(Exception):
    """A contender cannot run here, for a reason that is no fault of what is measured."""


@dataclasses.dataclass(frozen=True)
class Result:
    """One line of ``results.json``: a figure, what it should be, and what it was made from.

    :param bound: ``"at least"`` or ``"at most"``: on which side of the target the value should be.
    """

    name: str
    value: float
    unit: str
    bound: str
    target: float
    measured: Medians

    @property
    def met(self) -> bool:
        return self.value >= self.target if self.bound == "at least" else self.value <= self.target

    def as_json(self) -> Dict[str, Any]:
        line = {**dataclasses.asdict(self), "met": self.met}
        del line["name"]
        return line


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What became of a benchmark.

    :param results: the figures, each with its target.
    :param not_measured: why contenders are missing, by their names.
    """

    results: Sequence[Result]
    not_measured: Mapping[str, str] = dataclasses.field(default_factory=dict)


def run_benchmark(
    contenders: Mapping[str, Contender],
    judge: Callable[[Medians], Sequence[Result]],
    rounds: int = 3,
    once: Sequence[str] = (),
) -> None:
    """A benchmark's main program: measures the contenders and prints the judgement.

    :param contenders: what to measure; each returns one figure, or several by what to call them,
                       or raises :class:`NotAvailableError`.
    :param judge: makes the results of the contenders' medians, as far as they are there; several
                  of one contender are called by both names, as in "ours p99".
    :param rounds: how often every contender runs.
    :param once: contenders that run in the first round only.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--contender", choices=list(contenders))
    parser.add_argument("--rounds", type=int, default=rounds)
    arguments = parser.parse_args()
    if arguments.contender:
        print(_MARK + json.dumps(_outcome(contenders[arguments.contender])), flush=True)
        return
    figures: Dict[str, List[float]] = {}
    missing: Dict[str, str] = {}
    for turn in range(arguments.rounds):
        for name in contenders:
            if name in missing or (turn > 0 and name in once):
                continue
            outcome = measured_by([sys.argv[0], "--contender", name])
            if "reason" in outcome:
                missing[name] = outcome["reason"]
                print(f"{name}: not measured: {missing[name]}", file=sys.stderr, flush=True)
                continue
            figure = outcome["figure"]
            named = figure if isinstance(figure, dict) else {"": figure}
            for suffix, taken in named.items():
                called = f"{name} {suffix}".rstrip()
                figures.setdefault(called, []).append(taken)
                print(f"{called}: {taken:,.4g}", file=sys.stderr, flush=True)
    medians = {name: statistics.median(taken) for name, taken in figures.items()}
    report(Judgement(judge(medians), missing))


def _outcome(contender: Contender) -> Dict[str, Any]:
    try:
        return {"figure": contender()}
    except NotAvailableError as reason:
        return {"reason": str(reason)}


def report(judgement: Judgement) -> None:
    """Prints the judgement of a benchmark for :func:`judgement_of`."""
    print(_MARK + json.dumps(dataclasses.asdict(judgement)), flush=True)


def judgement_of(script: List[str]) -> Judgement:
    """Runs a benchmark and returns what it reported."""
    lines = measured_by(script)
    return Judgement([Result(**line) for line in lines["results"]], lines["not_measured"])


def measured_by(script: List[str], interpreter: str = sys.executable) -> Any:
    """Runs a script and returns what it printed as measured."""
    done = subprocess.run(
        [interpreter, "-W", "ignore", *script], stdout=subprocess.PIPE, text=True, check=True
    )
    for line in done.stdout.splitlines():
        if line.startswith(_MARK):
            return json.loads(line[len(_MARK) :])
    raise RuntimeError(f"{script[0]} printed no figure")
