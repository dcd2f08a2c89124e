"""Judges what a run left: each check is one line of its table."""

from typing import Collection, Iterator, Mapping, NamedTuple, Sequence

import numpy as np
from growth import growth

from .output import Results
from .processes import TASK_MANAGER, WORKER
from .rows import PIECES, ROWS_OF_A_PIECE, Numbers, Rows
from .watch import Idle, Sample

# Of TaskManagers between two looks while no job runs. What Flink itself begins with the first jobs
# is less; a leak of one a job is more after a night.
_MOST_MORE_THREADS = 5
_MOST_MORE_DESCRIPTORS = 20
# Of workers, among them those that ask the backend just now.
_MOST_MORE_OF_WORKERS = 24
_FAILED_AS_MEANT = ("ROW_FAILURE", "EXCEPTION")
_TIMED_OUT = "TIMEOUT"


class Check(NamedTuple):
    """What was looked for, what was found, and whether that is as it should be."""

    name: str
    found: str
    passed: bool


def of_rows(results: Results, letters: Mapping[str, Numbers], rows: Rows) -> Iterator[Check]:
    """Whether each row that left the source came out once, and as it should."""
    numbers = _joined(results.numbers)
    failed = _joined(list(letters.values()))
    out = np.sort(np.concatenate([numbers, failed]))
    yield Check("rows that came out", f"{len(out):,}", len(out) > 0)
    repeated = int((np.diff(out) == 0).sum())
    yield none("rows lost", _missing(np.unique(out)))
    yield none("rows repeated", repeated)
    wrong = rows.letters(numbers) != _joined(results.letters)
    yield none("results that are wrong", int(wrong.sum()))
    escaped = rows.are_to_fail(numbers)
    yield none("results of rows that fail", int(escaped.sum()))
    meant = _joined([letters[kind] for kind in _FAILED_AS_MEANT if kind in letters])
    yield none("innocent rows given up", int((~rows.are_to_fail(meant)).sum()))
    others = set(letters) - {*_FAILED_AS_MEANT, _TIMED_OUT}
    yield none("rows given up for other reasons", sum(len(letters[kind]) for kind in others))


def of_order(results: Results) -> Iterator[Check]:
    """Whether each subtask, which wrote a file, let the rows of a piece leave in their order."""
    displaced = 0
    for numbers in results.numbers:
        for piece in range(PIECES):
            of_piece = numbers[numbers // ROWS_OF_A_PIECE == piece]
            displaced += int((np.diff(of_piece) < 0).sum())
    yield none("rows out of order", displaced)


def of_faults(counts: Mapping[str, int], kinds: Collection[str], least: int) -> Iterator[Check]:
    """Whether enough has happened for the rest to mean anything."""
    total = sum(counts.get(kind, 0) for kind in kinds)
    missing = sorted(kind for kind in kinds if counts.get(kind, 0) == 0)
    yield Check("faults", f"{total}", total >= least)
    yield Check("kinds that did not happen", ", ".join(missing) or "none", not missing)


def of_memory(samples: Sequence[Sample], most_growth: float) -> Iterator[Check]:
    """Whether processes of a role were as large at the end as they were when it was warm."""
    for role in (TASK_MANAGER, WORKER):
        measured = [(s.seconds, s.resident_bytes) for s in samples if s.role == role]
        name = f"memory of a {role}"
        try:
            grown = growth(measured)
        except ValueError as error:
            yield Check(name, str(error), False)
            continue
        found = f"{grown.warm / 2**20:,.0f} → {grown.end / 2**20:,.0f} MiB ({grown.share:+.1%})"
        yield Check(name, found, grown.share <= most_growth)


def of_descriptors(samples: Sequence[Sample]) -> Iterator[Check]:
    """Whether workers held as many descriptors at the end as when it was warm."""
    name = f"descriptors of a {WORKER}"
    try:
        grown = growth((s.seconds, s.descriptors) for s in samples if s.role == WORKER)
    except ValueError as error:
        yield Check(name, str(error), False)
        return
    passed = grown.end - grown.warm <= _MOST_MORE_OF_WORKERS
    yield Check(name, f"{grown.warm:.0f} → {grown.end:.0f}", passed)


def of_leaks(
    idle: Sequence[Idle], processes_left: int, files_left: Collection[object]
) -> Iterator[Check]:
    """Whether anything is left while no job runs, or after the cluster."""
    held = [holdings for look in idle for holdings in look.task_managers.values()]
    yield Check("looks at the idle cluster", f"{len(idle)}", len(held) > 0)
    yield none("workers left by a job", sum(look.workers for look in idle))
    yield none("threads left by a job", sum(holdings.our_threads for holdings in held))
    yield none("segments left by a job", sum(holdings.our_segments for holdings in held))
    yield none("listening sockets left by jobs", _more_of_the_eldest(idle, "listening"))
    more = _more_of_the_eldest(idle, "threads")
    yield Check("threads more than at first", f"{more}", more <= _MOST_MORE_THREADS)
    more = _more_of_the_eldest(idle, "descriptors")
    yield Check("descriptors more than at first", f"{more}", more <= _MOST_MORE_DESCRIPTORS)
    yield none("processes left by the cluster", processes_left)
    yield none("files left", len(files_left))


def none(name: str, count: int) -> Check:
    """A check that something is not there at all."""
    return Check(name, f"{count:,}", count == 0)


def _more_of_the_eldest(idle: Sequence[Idle], what: str) -> int:
    """How much more it held at the last look than at the first; a younger one may just start."""
    eldest = next(iter(idle[-1].task_managers)) if idle else 0
    seen = [look.task_managers[eldest] for look in idle if eldest in look.task_managers]
    return max(0, getattr(seen[-1], what) - getattr(seen[0], what)) if seen else 0


def _missing(distinct: Numbers) -> int:
    """How many numbers of each piece are not there that are less than one that is."""
    missing = 0
    for piece in range(PIECES):
        begin = piece * ROWS_OF_A_PIECE
        bounds = np.searchsorted(distinct, [begin, begin + ROWS_OF_A_PIECE])
        head = distinct[bounds[0] : bounds[1]]
        missing += int(head[-1] - begin + 1 - len(head)) if len(head) else 0
    return missing


def _joined(numbers: Sequence[Numbers]) -> Numbers:
    return np.concatenate(numbers) if numbers else np.empty(0, np.int64)
