"""Runs it, prints its table and writes that down; the exit status tells whether all was well.

``PYTHONPATH=benchmarks python -m soak --seed 3`` draws the same faults in the same order.
"""

import argparse
import pathlib
import sys
import time

from . import endurance, table

_STEM = pathlib.Path(__file__).resolve().parents[1] / "endurance"


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, help="by default another one each time")
    parser.add_argument("--seconds", type=float, default=600, help="at least")
    parser.add_argument("--rows", type=int, default=0, help="at least")
    parser.add_argument("--faults", type=int, default=0, help="at least; every kind in any case")
    parser.add_argument("--ordered", action="store_true", help="check the order, never rescale")
    parser.add_argument("--most-growth", type=float, default=0.1, help="of a process's memory")
    parser.add_argument("--most-seconds-between-faults", type=float, default=4.0)
    parser.add_argument("--rows-a-second", type=int, nargs=2, default=(200, 8_000))
    parser.add_argument("--letters", type=int, nargs=2, default=(500, 8_000))
    parser.add_argument("--output", type=pathlib.Path, default=_STEM, help="without a suffix")
    given = parser.parse_args()
    seed = time.time_ns() % 2**31 if given.seed is None else given.seed
    settings = endurance.Settings(
        seed,
        given.seconds,
        given.rows,
        given.faults,
        given.ordered,
        given.most_growth,
        given.most_seconds_between_faults,
        *given.rows_a_second,
        *given.letters,
    )
    print(f"seed {seed}", file=sys.stderr, flush=True)
    report = endurance.run(settings)
    print(table.markdown(report))
    table.write(report, given.output)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
