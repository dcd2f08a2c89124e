"""
Calls of ``async_invoke_batch`` that several batches share, in a worker that several subtasks share.

To its batch such a call looks like one of its own: it gives the batch's results or raises, and can
be cancelled. The user's coroutine is cancelled when the last of its batches is.
"""

import asyncio
import bisect
import functools
import itertools
from types import TracebackType
from typing import Any, Dict, List, NamedTuple, Optional, Protocol, Sequence, Set

from pyflink_async_batch._worker import result_check, user_call
from pyflink_async_batch._worker.batch_view import BatchView
from pyflink_async_batch._worker.coalescer import Call, Coalescer
from pyflink_async_batch._worker.pushback import said_by
from pyflink_async_batch._worker.too_large import is_too_large
from pyflink_async_batch._worker.yielded_rows import YieldedIndexes


class RepeatAloneError(Exception):
    """
    A call of several batches failed, and the fault may be that of one of them, or that they were
    called for together: each is to be called for by itself.

    :param error: what the call raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error


class RowTaker(Protocol):
    """Takes what a batch's function has yielded. Lives on the event loop's thread."""

    def take(self, item: Any) -> None:
        """Takes an item that was yielded for the batch alone."""

    def take_rows(self, rows: Sequence[int], results: Any) -> None:
        """Takes the outcome of some of its rows."""


class _Outcome(NamedTuple):
    """What became of a batch. Never an exception of its future, as asyncio acts upon some."""

    results: Any
    error: Optional[BaseException] = None
    traceback: Optional[TracebackType] = None
    repeat_alone: bool = False


class _Member:
    """A batch that waits for a call, or for what becomes of it."""

    def __init__(self, inputs: Any, rows: int, size: int, taker: RowTaker) -> None:
        self.inputs = inputs
        self.rows = rows
        self.size = size
        self.taker = taker
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
        self._separates_failures = merging.separate_failures
        self._method = user_call.method_name(function, "async_invoke_batch")
        self._start_is_due = False
        # The loop itself refers to its tasks weakly.
        self._tasks: Set[asyncio.Task[None]] = set()

    async def invoke(self, inputs: Any, taker: RowTaker, rows: int, size: int) -> Any:
        """
        Has the user's function handle a batch, alone or with others.

        :param inputs: as the function takes them.
        :param taker: takes the batch's rows that the function yields.
        :param rows: of the inputs.
        :param size: of the inputs, in bytes.
        :return: the batch's results, as yet unchecked if it was alone, or ``user_call.YIELDED``.
        :raises RepeatAloneError: the batch is to be called for once more, by itself.
        :raises MergedResultError: the function did not return a result for each input of the call.
        :raises BaseException: whatever the function raised.
        """
        member = _Member(inputs, rows, size, taker)
        self._coalescer.add(member, rows, size)
        self._start_soon()
        try:
            outcome = await member.outcome
        except asyncio.CancelledError:
            await self._leave(member)
            raise
        if outcome.error is not None:
            if outcome.repeat_alone:
                raise RepeatAloneError(outcome.error)
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
        rows, size = sum(member.rows for member in members), sum(member.size for member in members)
        try:
            outcomes = [_Outcome(results) for results in await self._results(members)]
            self._coalescer.succeeded(rows, size)
        except GeneratorExit:
            raise
        except BaseException as error:
            too_large = is_too_large(error)
            if too_large:
                self._coalescer.too_large(rows, size)
            pushback = said_by(error)
            # Who has too much to do has it whatever is called for: that is no single batch's fault.
            is_put_off = pushback is not None and pushback.is_request
            separates = self._separates_failures and not is_put_off
            repeat_alone = len(members) > 1 and (too_large or separates)
            outcomes = [_Outcome(None, error, error.__traceback__, repeat_alone)] * len(members)
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
            taker = members[0].taker
            return [await user_call.invoke(self._function, inputs.pop(), taker.take)]
        joined = self._view.join(inputs)
        inputs.clear()
        hand_out = _HandOut(self._view, self._method, members)
        results = await user_call.invoke(self._function, joined, hand_out.take)
        if results is user_call.YIELDED:
            return [results] * len(members)
        try:
            checked = self._view.check(results, self._method, sum(rows))
        except result_check.InvalidResultError as error:
            raise result_check.MergedResultError(str(error)) from error
        return self._view.part(checked, rows)


class _HandOut:
    """
    Hands the rows that one call yields to the batches that they are of.

    :param members: the batches, in the order of their rows.
    """

    def __init__(self, view: BatchView, method: str, members: Sequence[_Member]) -> None:
        self._view = view
        self._method = method
        self._members = members
        self._ends = list(itertools.accumulate(member.rows for member in members))
        self._indexes = YieldedIndexes(method, self._ends[-1])

    def take(self, item: Any) -> None:
        """:raises YieldedResultError: it is no row of the call, or one that was there before."""
        rows, results = self._view.yielded(item, self._method)
        self._indexes.add(rows)
        positions: Dict[int, List[int]] = {}
        for position, row in enumerate(rows):
            positions.setdefault(bisect.bisect_right(self._ends, row), []).append(position)
        for number, its_own in positions.items():
            member = self._members[number]
            # One that has timed out waits for no row any more.
            if not member.outcome.done():
                start = self._ends[number] - member.rows
                member.taker.take_rows(
                    [rows[position] - start for position in its_own],
                    self._view.pick(results, its_own),
                )
