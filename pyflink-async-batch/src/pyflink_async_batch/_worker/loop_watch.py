"""
Tells the operator that the event loop turns, and writes down what blocks it if it does not.

User code that computes or sleeps in a coroutine without awaiting blocks every other batch of the
worker, and no timeout can reach it. The operator ends a worker whose heartbeats stay away; before
that, the stack that blocks the loop is in the log.
"""

import asyncio
import faulthandler
import logging
import sys
import threading
import time
import traceback
from typing import Callable, Optional

_LOGGER = logging.getLogger(__name__)

_STANDARD_ERROR = 2


class LoopWatch:
    """
    Lives on the event loop's thread; a thread of its own looks at it.

    :param name: the function's, for the log.
    :param stall_seconds: how long the loop may be blocked.
    :param interval_seconds: how often it says that it is not.
    :param beat: says so; called by the loop.
    """

    def __init__(
        self,
        name: str,
        stall_seconds: float,
        interval_seconds: float,
        beat: Callable[[], None],
    ) -> None:
        self._name = name
        self._stall_seconds = stall_seconds
        self._interval_seconds = interval_seconds
        self._beat = beat
        self._loop_thread = 0
        self._turned = 0.0
        self._next: Optional[asyncio.TimerHandle] = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begins to watch the running loop."""
        self._loop_thread = threading.get_ident()
        self._turn(asyncio.get_running_loop())
        threading.Thread(target=self._watch, name="loop-watch", daemon=True).start()

    def stop(self) -> None:
        """Ends it, on the loop's thread: what runs from now on may block. Idempotent."""
        if self._next is not None and not self._stopped.is_set():
            self._stopped.set()
            self._next.cancel()
            faulthandler.cancel_dump_traceback_later()

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._turned = time.monotonic()
        # For native code that keeps Python's lock, and with it the thread below from running.
        faulthandler.dump_traceback_later(
            self._stall_seconds + 2 * self._interval_seconds, file=_STANDARD_ERROR
        )
        self._beat()
        self._next = loop.call_later(self._interval_seconds, self._turn, loop)

    def _watch(self) -> None:
        reported = 0.0
        while not self._stopped.wait(self._interval_seconds):
            turned = self._turned
            blocked = time.monotonic() - turned
            if blocked >= self._stall_seconds and turned != reported:
                reported = turned
                self._report(blocked)

    def _report(self, blocked: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        if frame is None or self._stopped.is_set():
            return
        # It would say the same once more, of all threads.
        faulthandler.cancel_dump_traceback_later()
        _LOGGER.error(
            "'%s' in %s has blocked the event loop for %.1f s; every other batch of this worker"
            " waits for it. Where it is:\n%s",
            frame.f_code.co_name,
            self._name,
            blocked,
            "".join(traceback.format_stack(frame)),
        )
