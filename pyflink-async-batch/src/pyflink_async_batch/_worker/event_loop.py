"""
The worker's event loop: connects to the operator, opens the user's function, and runs a coroutine
for each batch that arrives on the loop that reads them. No thread hop, no hand-over of the GIL.
"""

import asyncio
import logging
import pickle
from typing import Any, Dict, Optional, Set, Tuple

from pyflink.fn_execution.metrics.process.metric_impl import GenericMetricGroup

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import (
    failures,
    runtime_context,
    shared_memory,
    worker_secrets,
)
from pyflink_async_batch._worker.answerer import Answerer
from pyflink_async_batch._worker.batch_channel import BatchChannel
from pyflink_async_batch._worker.batch_decoder import BatchDecoder
from pyflink_async_batch._worker.batch_invocation import BatchInvocation
from pyflink_async_batch._worker.batch_view import BatchView, view_for
from pyflink_async_batch._worker.frame_channel import FrameChannel
from pyflink_async_batch._worker.precise_selector import PreciseSelector
from pyflink_async_batch._worker.retry_policy import RetryPolicy
from pyflink_async_batch._worker.shared_memory import SharedMemory

_LOGGER = logging.getLogger(__name__)

Failure = async_batch_pb2.Failure
FrameHeader = async_batch_pb2.FrameHeader

# Shorter than what the operator waits for GOODBYE, so that close() runs even if a coroutine hangs.
_CANCEL_SECONDS = 1.0
_GAUGE_SECONDS = 2.0


def run(description: Any) -> None:
    """
    Runs the function until the operator ends the worker or is gone.

    :param description: the ``UserDefinedAsyncBatchFunction`` that the operator sent.
    """
    loop = asyncio.SelectorEventLoop(PreciseSelector())
    asyncio.set_event_loop(loop)
    worker = Worker(description)
    try:
        loop.run_until_complete(worker.serve())
    except BaseException as error:
        # Such as SystemExit raised in a task that user code started: asyncio lets it end the loop.
        worker.abandon(error)
        raise RuntimeError("the event loop of the worker has ended") from error
    finally:
        # Not asyncio.run(): it waits without bound for whatever still runs in the default executor.
        asyncio.set_event_loop(None)
        loop.close()


class Worker:
    """
    One user function and the batches that are in flight in it. Lives on the event loop's thread.

    :param description: the ``UserDefinedAsyncBatchFunction`` that the operator sent.
    """

    def __init__(self, description: Any) -> None:
        self._description = description
        self._function: Any = None
        self._view: BatchView
        self._answerer: Answerer
        self._retry: Optional[RetryPolicy] = None
        self._metric_group = GenericMetricGroup(None, None) if description.metrics_enabled else None
        self._decoder = BatchDecoder(description.input_schema)
        self._channel = FrameChannel(
            self._on_frame, self._on_closed, description.channel.max_frame_bytes
        )
        self._batches = BatchChannel(self._channel, description.channel)
        self._memory: Optional[SharedMemory] = None
        self._invocations: Dict[Tuple[int, int], BatchInvocation] = {}
        self._tasks: Set[asyncio.Task[None]] = set()
        self._leave: Optional[asyncio.Future[bool]] = None

    async def serve(self) -> None:
        """Returns when the operator has ended the worker, after the user's ``close()``."""
        loop = asyncio.get_running_loop()
        self._leave = loop.create_future()
        await self._connect()
        self._channel.send(
            FrameHeader(kind=async_batch_pb2.HELLO, token=worker_secrets.take_token())
        )
        opened = self._open_function()
        if opened:
            self._channel.send(self._ready())
            self._read_gauges_regularly(loop)
        in_order = await self._leave
        await self._cancel_batches()
        if opened:
            self._close_function()
        if in_order:
            self._channel.send(FrameHeader(kind=async_batch_pb2.GOODBYE))
        self._channel.close()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        address = self._description.channel
        if address.WhichOneof("address") == "unix_socket_path":
            await loop.create_unix_connection(lambda: self._channel, address.unix_socket_path)
        else:
            await loop.create_connection(lambda: self._channel, "127.0.0.1", address.loopback_port)

    def _ready(self) -> Any:
        header = FrameHeader(kind=async_batch_pb2.READY)
        size = self._description.channel.shared_memory_bytes
        if size > 0 and shared_memory.is_supported():
            try:
                self._memory = SharedMemory(size, self._release)
            except OSError:
                _LOGGER.warning("No shared memory; all batches use the socket", exc_info=True)
            else:
                header.shared_memory.CopyFrom(self._memory.offer())
        return header

    def _release(self, offset: int) -> None:
        self._channel.send(
            FrameHeader(
                kind=async_batch_pb2.RELEASE, shared_body=async_batch_pb2.SharedBody(offset=offset)
            )
        )

    def _open_function(self) -> bool:
        kind = Failure.PROTOCOL
        try:
            # Submitted with the job and authenticated by the control plane, as PyFlink's own.
            self._function = pickle.loads(self._description.payload)
            self._retry = RetryPolicy.unpickle(self._description.retry_strategy)
            self._view = view_for(self._function, self._decoder, self._description)
            self._answerer = Answerer(self._batches, self._view)
            kind = Failure.OPEN
            self._function.open(runtime_context.create(self._description, self._metric_group))
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

    def abandon(self, error: BaseException) -> None:
        """Tells the operator why nothing more will be answered. The loop does not run any more."""
        self._report(error, Failure.PROTOCOL)
        self._channel.abort()

    def _read_gauges_regularly(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._metric_group is not None:
            runtime_context.read_gauges(self._metric_group)
            loop.call_later(_GAUGE_SECONDS, self._read_gauges_regularly, loop)

    def _on_frame(self, header: Any, body: memoryview) -> None:
        if header.kind in (async_batch_pb2.INVOKE, async_batch_pb2.TIMEOUT):
            self._on_batch(header, body)
        elif header.kind == async_batch_pb2.RELEASE:
            self._batches.released(header.shared_body.offset)
        elif header.kind == async_batch_pb2.MAPPED and self._memory is not None:
            self._memory.mapped()
            self._batches.share(self._memory)
        elif header.kind == async_batch_pb2.SHUTDOWN:
            self._end(in_order=True)
        else:
            _LOGGER.error("Ignored a frame of unexpected kind %d", header.kind)

    def _on_batch(self, header: Any, body: memoryview) -> None:
        try:
            batch = self._decoder.read(self._body(header, body), header.row_count)
            inputs = self._view.inputs(batch)
        except Exception as error:
            # Such as an element whose class cannot be imported here.
            self._answerer.failure(header, error, Failure.PROTOCOL)
            return
        key = (header.batch_id, header.attempt)
        invocation = self._invocations.get(key)
        if invocation is None:
            invocation = BatchInvocation(self._function, self._answerer, self._retry)
            self._invocations[key] = invocation
        if header.kind == async_batch_pb2.TIMEOUT:
            task = invocation.time_out(header, inputs)
        else:
            task = invocation.invoke(header, inputs)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._forget(key, invocation, done))

    def _body(self, header: Any, body: memoryview) -> Any:
        if header.HasField("shared_body") and self._memory is not None:
            return self._memory.input(header.shared_body.offset, header.shared_body.length)
        # The buffer behind the frame is used again.
        return bytes(body) if self._view.shares_memory else body

    def _forget(
        self, key: Tuple[int, int], invocation: BatchInvocation, done: "asyncio.Task[None]"
    ) -> None:
        self._tasks.discard(done)
        # A timed-out coroutine ends while the call that replaces it still runs.
        if invocation.is_done() and self._invocations.get(key) is invocation:
            del self._invocations[key]

    def _on_closed(self, error: Optional[BaseException]) -> None:
        if error is not None:
            _LOGGER.error("The connection to the operator broke", exc_info=error)
        self._end(in_order=False)

    def _end(self, in_order: bool) -> None:
        if self._leave is not None and not self._leave.done():
            self._leave.set_result(in_order)

    async def _cancel_batches(self) -> None:
        for invocation in self._invocations.values():
            invocation.cancel()
        if self._tasks:
            _, running = await asyncio.wait(set(self._tasks), timeout=_CANCEL_SECONDS)
            if running:
                _LOGGER.warning("%d coroutines did not end when cancelled", len(running))
