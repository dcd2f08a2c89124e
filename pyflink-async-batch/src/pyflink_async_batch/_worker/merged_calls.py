"""
Calls of ``async_invoke_batch`` that several batches share, in a worker that several subtasks share.

To its batch such a call looks like one of its own: it gives the batch's results or raises, and can
be cancelled. The user's coroutine is cancelled when the last of its batches is.
"""

import asyncio
import functools
from types import TracebackType
from typing import Any, List, NamedTuple, Optional, Sequence, Set

from pyflink_async_batch._worker import result_check, user_call
from pyflink_async_batch._worker.batch_view import BatchView
from pyflink_async_batch._worker.coalescer import Call, Coalescer


class _Outcome(NamedTuple):
    """What became of a batch. Never an exception of its future, as asyncio acts upon some."""

    results: Any
    error: Optional[BaseException] = None
    traceback: Optional[TracebackType] = None


class _Member:
    """A batch that waits for a call, or for what becomes of it."""

    def __init__(self, inputs: Any, rows: int) -> None:
        self.inputs = inputs
        self.rows = rows
        self.outcome: asyncio.Future[_Outcome] = asyncio.get_running_loop().create_future()
        self.call: Optional[_RunningCall] = None


class _RunningCall(NamedTuple):
    task: "asyncio.Task[None]"
    members: Sequence[_Member]

    def is_wanted(self) -> bool:
        return any(not member.outcome.done() for member in self.members)


class MergedCalls:
    """
    Lives on the event loop's thread.

    :param function: the user's function.
    :param view: joins what the function takes, and parts what it returns.
    :param merging: the ``CallMerging`` that the operator sent.
    """

    def __init__(self, function: Any, view: BatchView, merging: Any) -> None:
        self._function = function
        self._view = view
        self._coalescer: Coalescer[_Member] = Coalescer(
            merging.most_rows, merging.most_bytes, merging.most_calls
        )
        self._start_is_due = False
        # The loop itself refers to its tasks weakly.
        self._tasks: Set[asyncio.Task[None]] = set()

    async def invoke(self, inputs: Any, rows: int, size: int) -> Any:
        """
        Has the user's function handle a batch, alone or with others.

        :param inputs: as the function takes them.
        :param rows: of the inputs.
        :param size: of the inputs, in bytes.
        :return: the batch's results, as yet unchecked if it was alone.
        :raises MergedResultError: the function did not return a result for each input of the call.
        :raises BaseException: whatever the function raised.
        """
        member = _Member(inputs, rows)
        self._coalescer.add(member, rows, size)
        self._start_soon()
        try:
            outcome = await member.outcome
        except asyncio.CancelledError:
            await self._leave(member)
            raise
        if outcome.error is not None:
            # Raising adds to the traceback, and every member of the call raises.
            raise outcome.error.with_traceback(outcome.traceback)
        return outcome.results

    async def _leave(self, member: _Member) -> None:
        member.outcome.cancel()
        self._coalescer.withdraw(member)
        if member.call is not None and not member.call.is_wanted():
            member.call.task.cancel()
            # The batch has not ended before its coroutine has cleaned up.
            await asyncio.wait({member.call.task})

    def _start_soon(self) -> None:
        """Once this turn of the loop has taken in all batches that came together."""
        if not self._start_is_due:
            self._start_is_due = True
            asyncio.get_running_loop().call_soon(self._start)

    def _start(self) -> None:
        self._start_is_due = False
        while True:
            call = self._coalescer.next_call()
            if call is None:
                return
            task = asyncio.get_running_loop().create_task(self._run(call.batches))
            self._tasks.add(task)
            task.add_done_callback(functools.partial(self._ended, call))
            running = _RunningCall(task, call.batches)
            for member in call.batches:
                member.call = running

    def _ended(self, call: Call[_Member], task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        self._coalescer.ended(call)
        self._start_soon()

    async def _run(self, members: Sequence[_Member]) -> None:
        try:
            outcomes = [_Outcome(results) for results in await self._results(members)]
        except GeneratorExit:
            raise
        except BaseException as error:
            outcomes = [_Outcome(None, error, error.__traceback__)] * len(members)
        for member, outcome in zip(members, outcomes):
            if not member.outcome.done():
                member.outcome.set_result(outcome)

    async def _results(self, members: Sequence[_Member]) -> List[Any]:
        inputs = [member.inputs for member in members]
        rows = [member.rows for member in members]
        # The memory behind them is free once they are joined, which copies.
        for member in members:
            member.inputs = None
        if len(members) == 1:
            return [await user_call.invoke(self._function, inputs.pop())]
        joined = self._view.join(inputs)
        inputs.clear()
        results = await user_call.invoke(self._function, joined)
        method = user_call.method_name(self._function, "async_invoke_batch")
        try:
            checked = self._view.check(results, method, sum(rows))
        except result_check.InvalidResultError as error:
            raise result_check.MergedResultError(str(error)) from error
        return self._view.part(checked, rows)
