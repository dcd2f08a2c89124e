"""The thread that a hosted function lives in."""

import asyncio
import contextlib
import logging
import threading
from typing import Any, Callable, Coroutine, List, Optional, TypeVar

_LOGGER = logging.getLogger(__name__)

V = TypeVar("V")

FUNCTION_THREAD_NAME = "async-batch-function"

# How long a coroutine that was cancelled may clean up when the thread ends.
_CANCEL_SECONDS = 1.0


class FunctionThread:
    """
    One thread with one event loop, in which a function is opened, invoked and closed, as in a
    worker of Flink. A function that blocks there keeps its own batches waiting, and neither the
    server's answers about its health nor the queue.

    :param on_death: called in the thread with what ended its event loop, such as ``SystemExit``
                     raised in a task that user code started: asyncio lets it through.
    """

    def __init__(self, on_death: Callable[[BaseException], None]) -> None:
        self._on_death = on_death
        self._loop = asyncio.new_event_loop()
        # A daemon: a function that never returns must not keep the process alive.
        self._thread = threading.Thread(target=self._run, name=FUNCTION_THREAD_NAME, daemon=True)
        self._thread.start()

    async def call(self, make: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """
        Runs a coroutine in the thread and returns when it has ended, also if it was cancelled: by
        then it does not use anything any more.

        :param make: makes the coroutine, in the thread.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[V] = loop.create_future()
        tasks: List[asyncio.Task[V]] = []

        def end(task: "asyncio.Task[V]") -> None:
            if not outcome.done():
                _copy(task, outcome)

        def report(task: "asyncio.Task[V]") -> None:
            with contextlib.suppress(RuntimeError):  # the server's loop is closed: nobody waits
                loop.call_soon_threadsafe(end, task)

        def start() -> None:
            task = self._loop.create_task(make())
            tasks.append(task)
            task.add_done_callback(report)

        self._loop.call_soon_threadsafe(start)
        try:
            return await asyncio.shield(outcome)
        except asyncio.CancelledError:
            if not outcome.done():
                self._loop.call_soon_threadsafe(lambda: tasks[0].cancel())
                await asyncio.wait({outcome})
            # Whatever came of it, nobody wants it; looking at it keeps asyncio from complaining.
            if not outcome.cancelled():
                outcome.exception()
            raise

    async def stop(self) -> None:
        """Ends the thread, unless user code blocks it."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join, _CANCEL_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        except BaseException as error:
            _LOGGER.critical("The function's event loop has ended", exc_info=error)
            self._on_death(error)
        else:
            self._cancel_tasks()
            self._loop.close()

    def _cancel_tasks(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_SECONDS))


def _copy(task: "asyncio.Task[V]", outcome: "asyncio.Future[V]") -> None:
    if task.cancelled():
        outcome.cancel()
        return
    error: Optional[BaseException] = task.exception()
    if error is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())
