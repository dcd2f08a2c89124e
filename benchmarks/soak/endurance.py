"""The run: a job, faults until enough of them has happened, and what was found at its end."""

import pathlib
import random
import sys
import tempfile
import time
from typing import Iterator, List, NamedTuple

import json_server
import psutil

from . import checks, output, plan, processes
from .checks import Check
from .cluster import SoakCluster, until
from .faults import Faults
from .load import Load
from .rows import Rows
from .scene import Scene
from .table import Report
from .watch import Watch

_PARALLELISM = 2
_FIRST_ROWS = 1_000
_END_SECONDS = 30.0
_LOG_LINES = 60
_BACKEND = pathlib.Path(__file__).resolve().parent / "backend.py"


class Settings(NamedTuple):
    """
    When a run is over: when so many seconds have passed, so many rows were written and so many
    faults have happened, and every kind at least once.
    """

    seed: int
    seconds: float
    rows: int
    faults: int
    ordered: bool
    most_growth: float
    most_seconds_between_faults: float
    least_rows_a_second: int
    most_rows_a_second: int
    most_letters: int
    most_letters_of_large: int


def run(settings: Settings) -> Report:
    """
    :raises TimeoutError: Something that had to happen did not.
    """
    what = Load(
        Rows(settings.seed, settings.most_letters, settings.most_letters_of_large),
        settings.least_rows_a_second,
        settings.most_rows_a_second,
        settings.ordered,
    )
    with (
        tempfile.TemporaryDirectory(prefix="soak-") as directory,
        json_server.started(_BACKEND) as url,
    ):
        root = pathlib.Path(directory)
        (root / "cluster").mkdir()
        cluster = SoakCluster(root / "cluster")
        scene = Scene(root, what, cluster, json_server.Client(url))
        try:
            cluster.start()
            return _run_on(scene, settings)
        except BaseException:
            _show_logs(cluster)
            raise
        finally:
            _end(cluster)


def _run_on(scene: Scene, settings: Settings) -> Report:
    choices = random.Random(settings.seed)
    began = time.monotonic()
    scene.start(_PARALLELISM)
    watch = Watch(scene.watched)
    scene.before_start = lambda: watch.look_at_idle(scene.cluster.processes)
    faults = Faults(scene, choices)
    until(lambda: scene.rows_written() > _FIRST_ROWS, "the first rows' end")
    _have_faults(scene, settings, faults, choices, began)
    faults.await_well()
    until(lambda: scene.rows_written() >= settings.rows, "the last rows' end")
    watch.close()
    scene.stop(drain=True)
    watch.look_at_idle(scene.cluster.processes)
    seconds = time.monotonic() - began
    left = _end(scene.cluster)
    figures = {
        "seconds": round(seconds),
        "dead letters": {
            kind: len(numbers)
            for kind, numbers in output.dead_letters(scene.directories.dead_letters).items()
        },
        "checkpoints": sum(job.checkpoints for job in scene.ended),
        "jobs, each from the savepoint of the one before": len(scene.ended),
        "restarts of a job": sum(
            job.restarts_on_purpose + len(job.other_restarts) for job in scene.ended
        ),
    }
    judged = list(_judge(scene, settings, faults, watch, left))
    return Report(settings._asdict(), dict(sorted(faults.counts.items())), figures, judged)


def _have_faults(
    scene: Scene, settings: Settings, faults: Faults, choices: random.Random, began: float
) -> None:
    """Deals decks; the first is dealt out whatever happens, so that no kind is missing."""
    for deck, kinds in enumerate(plan.drawn(choices, rescales=not settings.ordered)):
        for kind in kinds:
            if deck > 0 and _is_enough(scene, settings, faults, began):
                return
            time.sleep(choices.uniform(0.0, settings.most_seconds_between_faults))
            _say(f"{time.monotonic() - began:6.0f} s  {kind}")
            faults.happen(kind)
        if _is_enough(scene, settings, faults, began):
            return


def _is_enough(scene: Scene, settings: Settings, faults: Faults, began: float) -> bool:
    return (
        time.monotonic() - began >= settings.seconds
        and sum(faults.counts[kind] for kind in plan.FAULTS) >= settings.faults
        and scene.rows_written() >= settings.rows
    )


def _judge(
    scene: Scene, settings: Settings, faults: Faults, watch: Watch, left: List[psutil.Process]
) -> Iterator[Check]:
    results = output.results(scene.directories.results)
    letters = output.dead_letters(scene.directories.dead_letters)
    yield from checks.of_rows(results, letters, scene.load.rows)
    if settings.ordered:
        yield from checks.of_order(results)
    yield from checks.of_faults(faults.counts, plan.FAULTS, settings.faults)
    unwanted = [restart for job in scene.ended for restart in job.other_restarts]
    yield Check(
        "restarts that nothing explains", "; ".join(sorted(set(unwanted))) or "none", not unwanted
    )
    missing = [job for job in scene.ended if job.checkpoints == 0]
    yield checks.none("jobs without a checkpoint", len(missing))
    yield from checks.of_memory(watch.samples, settings.most_growth)
    yield from checks.of_descriptors(watch.samples)
    files = processes.our_files(scene.cluster.temporary)
    yield from checks.of_leaks(watch.idle, len(left), files)


def _end(cluster: SoakCluster) -> List[psutil.Process]:
    """Stops the cluster, and kills and returns what has outlived it."""
    cluster.stop()
    give_up = time.monotonic() + _END_SECONDS
    left = _all(cluster)
    while left and time.monotonic() < give_up:
        time.sleep(0.2)
        left = _all(cluster)
    for process in left:
        process.kill()
    return left


def _all(cluster: SoakCluster) -> List[psutil.Process]:
    return [process for members in cluster.processes().values() for process in members]


def _show_logs(cluster: SoakCluster) -> None:
    for log in sorted(cluster.logs.glob("*.log")):
        _say(f"--- {log.name}")
        lines = log.read_text(errors="replace").splitlines()
        told = [line for line in lines if " INFO " not in line]
        _say("\n".join(told[-_LOG_LINES:]))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
