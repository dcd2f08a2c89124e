"""
One user function and the batches that are in flight in it, whichever way batches travel: opens the
function, runs a coroutine for each batch on the event loop that took it in, and closes it.
"""

import asyncio
import functools
import logging
import pickle
from typing import Any, Awaitable, Callable, Dict, Optional, Protocol, Set, Tuple

import pyarrow as pa

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import failures, runtime_context
from pyflink_async_batch._worker.answerer import AnswerChannel, Answerer
from pyflink_async_batch._worker.batch_decoder import BatchDecoder
from pyflink_async_batch._worker.batch_invocation import BatchInvocation
from pyflink_async_batch._worker.batch_view import BatchView, view_for
from pyflink_async_batch._worker.early_rows import EarlyRows
from pyflink_async_batch._worker.merged_calls import MergedCalls
from pyflink_async_batch._worker.retry_policy import RetryPolicy

_LOGGER = logging.getLogger(__name__)

Failure = async_batch_pb2.Failure
FrameHeader = async_batch_pb2.FrameHeader

# Shorter than what the operator waits for the end, so that close() runs even if a coroutine hangs.
_CANCEL_SECONDS = 1.0
_GAUGE_SECONDS = 2.0

# Caller, batch and attempt: what an invocation is known by.
_Key = Tuple[int, int, int]


class Metrics(Protocol):
    """Where the metrics of the user's function go. Lives on the event loop's thread."""

    @property
    def group(self) -> Any:
        """PyFlink's metric group, for the runtime context."""

    def read_gauges(self) -> None:
        """Passes the present value of every gauge on."""


class FunctionWorker:
    """
    Lives on the event loop's thread.

    :param description: the ``UserDefinedAsyncBatchFunction`` that the operator sent.
    :param channel: takes what the worker has to say.
    :param decoder: decodes batches of the function's inputs.
    :param metrics: where the function's metrics go; None if metrics are off.
    """

    def __init__(
        self,
        description: Any,
        channel: AnswerChannel,
        decoder: BatchDecoder,
        metrics: Optional[Metrics],
    ) -> None:
        self._description = description
        self._channel = channel
        self._decoder = decoder
        self._metrics = metrics
        self._view: BatchView
        self._answerer: Answerer
        self._function: Any = None
        self._retry: Optional[RetryPolicy] = None
        self._merged: Optional[MergedCalls] = None
        self._invocations: Dict[_Key, BatchInvocation] = {}
        self._tasks: Set[asyncio.Task[None]] = set()
        self._leave: Optional[asyncio.Future[bool]] = None

    @property
    def shares_memory(self) -> bool:
        """Whether the function may keep the memory of a batch that it is given."""
        return self._view.shares_memory

    async def serve(
        self,
        begin: Callable[[], Any],
        ready: Callable[[], Any] = lambda: FrameHeader(kind=async_batch_pb2.READY),
    ) -> bool:
        """
        Returns when it has been told to :func:`end`, after the user's ``close()``.

        :param begin: has batches arrive from now on; called within the running loop.
        :param ready: makes what the operator is told once the user's ``open()`` has returned.
        :return: what :func:`end` was told.
        """
        loop = asyncio.get_running_loop()
        self._leave = loop.create_future()
        awaitable = begin()
        if awaitable is not None:
            await awaitable
        opened = self._open_function()
        if opened:
            self._channel.send(ready())
            self._read_gauges_regularly(loop)
        in_order = await self._leave
        await self._cancel_batches()
        if opened:
            self._close_function()
        return in_order

    def end(self, in_order: bool) -> None:
        """Has :func:`serve` return. Only the first call counts."""
        if self._leave is not None and not self._leave.done():
            self._leave.set_result(in_order)

    def on_request(self, header: Any, read: Callable[[], pa.RecordBatch]) -> None:
        """
        Does what the operator asks for.

        :param read: gives the request's batch; called before this returns, if at all.
        """
        if header.kind in (async_batch_pb2.INVOKE, async_batch_pb2.TIMEOUT):
            self._on_batch(header, read)
        elif header.kind == async_batch_pb2.CANCEL:
            self._cancel(header)
        elif header.kind == async_batch_pb2.SHUTDOWN:
            self.end(in_order=True)
        else:
            _LOGGER.error("Ignored a request of unexpected kind %d", header.kind)

    def abandon(self, error: BaseException) -> None:
        """Tells the operator why nothing more will be answered. The loop does not run any more."""
        self._report(error, Failure.PROTOCOL)

    def _open_function(self) -> bool:
        kind = Failure.PROTOCOL
        try:
            # Submitted with the job and authenticated by the control plane, as PyFlink's own.
            self._function = pickle.loads(self._description.payload)
            self._view = view_for(self._function, self._decoder, self._description)
            self._answerer = Answerer(self._channel, self._view)
            self._retry = RetryPolicy.unpickle(self._description.retry_strategy)
            if self._description.HasField("call_merging"):
                self._merged = MergedCalls(
                    self._function, self._view, self._description.call_merging
                )
            kind = Failure.OPEN
            group = self._metrics.group if self._metrics is not None else None
            self._function.open(runtime_context.create(self._description, group))
            return True
        except BaseException as error:
            self._report(error, kind)
            return False

    def _close_function(self) -> None:
        try:
            self._function.close()
        except BaseException as error:
            self._report(error, Failure.CLOSE)

    def _report(self, error: BaseException, kind: Any) -> None:
        _LOGGER.error("%s", self._description.function_name, exc_info=error)
        self._channel.send(
            FrameHeader(kind=async_batch_pb2.FAILURE, failure=failures.describe(error, kind))
        )

    def _read_gauges_regularly(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._metrics is not None:
            self._metrics.read_gauges()
            loop.call_later(_GAUGE_SECONDS, self._read_gauges_regularly, loop)

    def _on_batch(self, header: Any, read: Callable[[], pa.RecordBatch]) -> None:
        try:
            batch = read()
            inputs = self._view.inputs(batch)
        except Exception as error:
            # Such as an element whose class cannot be imported here.
            self._answerer.failure(header, error, Failure.PROTOCOL)
            return
        key = (header.caller, header.batch_id, header.attempt)
        invocation = self._invocations.get(key)
        if invocation is None:
            invocation = BatchInvocation(
                self._function, self._answerer, self._retry, self._call(header, batch)
            )
            self._invocations[key] = invocation
        if header.kind == async_batch_pb2.TIMEOUT:
            task = invocation.time_out(header, inputs)
        else:
            task = invocation.invoke(header, inputs)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._forget(key, invocation, done))

    def _call(
        self, header: Any, batch: pa.RecordBatch
    ) -> Optional[Callable[[Any, EarlyRows], Awaitable[Any]]]:
        # A call is repeated without others: if it is their rows that fail it, it succeeds now.
        if self._merged is None or header.attempt > 1:
            return None
        return functools.partial(self._merged.invoke, rows=header.row_count, size=batch.nbytes)

    def _forget(self, key: _Key, invocation: BatchInvocation, done: "asyncio.Task[None]") -> None:
        self._tasks.discard(done)
        # A timed-out coroutine ends while the call that replaces it still runs.
        if invocation.is_done() and self._invocations.get(key) is invocation:
            del self._invocations[key]

    def _cancel(self, header: Any) -> None:
        """Cancels one batch, or all of a caller that has left."""
        for key, invocation in self._invocations.items():
            if header.batch_id == 0 and key[0] == header.caller:
                invocation.cancel()
        one = self._invocations.get((header.caller, header.batch_id, header.attempt))
        if one is not None:
            one.cancel()

    async def _cancel_batches(self) -> None:
        for invocation in self._invocations.values():
            invocation.cancel()
        if self._tasks:
            _, running = await asyncio.wait(set(self._tasks), timeout=_CANCEL_SECONDS)
            if running:
                _LOGGER.warning("%d coroutines did not end when cancelled", len(running))
