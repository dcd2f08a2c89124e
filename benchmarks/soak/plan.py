"""Which kinds of faults there are, and in which order a seed has them happen."""

import random
from typing import Dict, Iterator, List

from . import backend, function

# What is done to a worker from outside, and what its function is told to do.
KILLED, STOPPED = "worker killed", "worker stopped"
ORDERS: Dict[str, str] = {
    "worker left": function.EXIT,
    "worker crashed": function.SEGFAULT,
    "worker hung": function.HANG,
    "worker out of memory": function.OUT_OF_MEMORY,
}
MOODS: Dict[str, str] = {
    "backend three times slower": backend.SLOW,
    "backend refuses (429)": backend.REFUSING,
    "backend away": backend.AWAY,
    "backend silent until timeout": backend.SILENT,
    "batches too large": backend.SMALL,
}
TASK_FAILED = "task failed by an exception"
TASK_MANAGER_KILLED = "TaskManager killed"
RESTORED, SCALED_UP, SCALED_DOWN = "savepoint and restore", "rescaled up", "rescaled down"

WORKER_FAULTS = (KILLED, STOPPED, *ORDERS)
FAULTS = (*WORKER_FAULTS, *MOODS, TASK_FAILED, TASK_MANAGER_KILLED)
RESCALES = (SCALED_UP, SCALED_DOWN)
MOVES = (RESTORED, *RESCALES)


def drawn(choices: random.Random, rescales: bool) -> Iterator[List[str]]:
    """
    Hands out decks of kinds without an end, each shuffled: no kind is left out for long. The first
    holds every kind once, later ones each kind of a worker's death twice, for these cost least.

    :param rescales: whether there may be kinds that give rows to other subtasks.
    """
    once = [kind for kind in (*FAULTS, *MOVES) if rescales or kind not in RESCALES]
    deck = list(once)
    while True:
        choices.shuffle(deck)
        yield list(deck)
        deck = [*once, *WORKER_FAULTS]
