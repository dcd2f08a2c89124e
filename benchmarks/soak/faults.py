"""Does to the scene what the plan says, thing by thing, and waits until it was noticed."""

import collections
import concurrent.futures
import contextlib
import random
import signal
import time
from typing import Counter, Optional

import psutil

from . import backend, plan, processes
from .cluster import until
from .scene import Scene

_MOOD_SECONDS = 2.0


class Faults:
    """
    A mood of the backend passes while other things happen: after a while, once it has met a call.
    """

    def __init__(self, scene: Scene, choices: random.Random) -> None:
        self.counts: Counter[str] = collections.Counter()
        self._scene = scene
        self._choices = choices
        self._moods = concurrent.futures.ThreadPoolExecutor(1, "mood")
        self._mood: Optional[concurrent.futures.Future[None]] = None

    def happen(self, kind: str) -> None:
        scene = self._scene
        if kind in plan.MOODS:
            self.await_well()
            self._mood = self._moods.submit(self._go_through, plan.MOODS[kind])
        elif kind == plan.TASK_FAILED:
            scene.fail_a_task()
        elif kind == plan.TASK_MANAGER_KILLED:
            scene.replace_youngest_task_manager()
        elif kind in plan.MOVES:
            moved = {plan.SCALED_UP: 1, plan.SCALED_DOWN: -1}.get(kind, 0)
            scene.start(scene.parallelism + moved, scene.stop())
        else:
            self._end_worker(kind)
        self.counts[kind] += 1

    def await_well(self) -> None:
        """Waits until the backend is well again."""
        if self._mood is not None:
            self._mood.result()

    def _go_through(self, mood: str) -> None:
        before = self._met(mood)
        self._scene.backend.ask("/mood", {"mood": mood})
        time.sleep(_MOOD_SECONDS)
        until(lambda: self._met(mood) > before, f"a call that meets a backend that is {mood}")
        self._scene.backend.ask("/mood", {"mood": backend.WELL})

    def _met(self, mood: str) -> int:
        if mood == backend.SILENT:
            return self._scene.timeouts()
        return int(self._scene.backend.ask("/met").get(mood, 0))

    def _end_worker(self, kind: str) -> None:
        while True:
            workers = until(self._scene.workers, "a worker's first batch")
            worker: psutil.Process = self._choices.choice(workers)
            # One that a busy machine kept from its turn may just be ended for that.
            with contextlib.suppress(psutil.NoSuchProcess):
                if kind == plan.KILLED:
                    worker.kill()
                elif kind == plan.STOPPED:
                    worker.send_signal(signal.SIGSTOP)
                else:
                    self._order(worker, plan.ORDERS[kind])
                break
        until(lambda: not processes.is_alive(worker), f"the end of a {kind}")

    def _order(self, worker: psutil.Process, how: str) -> None:
        orders = self._scene.directories.orders
        hidden = orders / f".{worker.pid}"
        hidden.write_text(how)
        hidden.rename(orders / str(worker.pid))
