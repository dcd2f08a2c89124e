"""
The event loop of a worker process: connects to the operator and runs the user's coroutines on the
loop that reads the batches. No thread hop, no hand-over of the GIL.
"""

import asyncio
import logging
from typing import Any, Optional

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import shared_memory, worker_secrets
from pyflink_async_batch._worker.batch_channel import BatchChannel
from pyflink_async_batch._worker.batch_decoder import BatchDecoder
from pyflink_async_batch._worker.frame_channel import FrameChannel
from pyflink_async_batch._worker.function_worker import FunctionWorker
from pyflink_async_batch._worker.loop_watch import LoopWatch
from pyflink_async_batch._worker.precise_selector import PreciseSelector
from pyflink_async_batch._worker.process_metrics import ProcessMetrics
from pyflink_async_batch._worker.protocol_version import require_own_protocol
from pyflink_async_batch._worker.shared_memory import SharedMemory

_LOGGER = logging.getLogger(__name__)

FrameHeader = async_batch_pb2.FrameHeader


def run(description: Any) -> None:
    """
    Runs the function until the operator ends the worker or is gone.

    :param description: the ``UserDefinedAsyncBatchFunction`` that the operator sent.
    """
    require_own_protocol(description)
    loop = asyncio.SelectorEventLoop(PreciseSelector())
    asyncio.set_event_loop(loop)
    connection = OperatorConnection(description)
    try:
        loop.run_until_complete(connection.serve())
    except BaseException as error:
        # Such as SystemExit raised in a task that user code started: asyncio lets it end the loop.
        connection.abandon(error)
        raise RuntimeError("the event loop of the worker has ended") from error
    finally:
        # Not asyncio.run(): it waits without bound for whatever still runs in the default executor.
        asyncio.set_event_loop(None)
        loop.close()


class OperatorConnection:
    """
    What a worker process does for its operator. Lives on the event loop's thread.

    :param description: the ``UserDefinedAsyncBatchFunction`` that the operator sent.
    """

    def __init__(self, description: Any) -> None:
        self._address = description.channel
        self._decoder = BatchDecoder(description.input_schema)
        self._frames = FrameChannel(
            self._on_frame, self._on_closed, description.channel.max_frame_bytes
        )
        self._batches = BatchChannel(self._frames, description.channel)
        self._memory: Optional[SharedMemory] = None
        self._watch = LoopWatch(
            description.function_name,
            description.stall_timeout_millis / 1000,
            description.heartbeat_interval_millis / 1000,
            lambda: self._frames.send(FrameHeader(kind=async_batch_pb2.HEARTBEAT)),
        )
        self._worker = FunctionWorker(
            description,
            self._batches,
            self._decoder,
            ProcessMetrics() if description.metrics_enabled else None,
        )

    async def serve(self) -> None:
        """Returns when the operator has ended the worker, after the user's ``close()``."""
        if await self._worker.serve(self._connect, self._ready):
            self._frames.send(FrameHeader(kind=async_batch_pb2.GOODBYE))
        self._frames.close()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        address = self._address
        if address.WhichOneof("address") == "unix_socket_path":
            await loop.create_unix_connection(lambda: self._frames, address.unix_socket_path)
        else:
            await loop.create_connection(lambda: self._frames, "127.0.0.1", address.loopback_port)
        self._frames.send(
            FrameHeader(kind=async_batch_pb2.HELLO, token=worker_secrets.take_token())
        )

    def _ready(self) -> Any:
        self._watch.start()
        header = FrameHeader(kind=async_batch_pb2.READY)
        size = self._address.shared_memory_bytes
        if size > 0 and shared_memory.is_supported():
            try:
                self._memory = SharedMemory(size, self._release)
            except OSError:
                _LOGGER.warning("No shared memory; all batches use the socket", exc_info=True)
            else:
                header.shared_memory.CopyFrom(self._memory.offer())
        return header

    def _release(self, offset: int) -> None:
        self._frames.send(
            FrameHeader(
                kind=async_batch_pb2.RELEASE, shared_body=async_batch_pb2.SharedBody(offset=offset)
            )
        )

    def abandon(self, error: BaseException) -> None:
        """Tells the operator why nothing more will be answered. The loop does not run any more."""
        self._watch.stop()
        self._worker.abandon(error)
        self._frames.abort()

    def _on_frame(self, header: Any, body: memoryview) -> None:
        if header.kind == async_batch_pb2.RELEASE:
            self._batches.released(header.shared_body.offset)
        elif header.kind == async_batch_pb2.MAPPED and self._memory is not None:
            self._memory.mapped()
            self._batches.share(self._memory)
        else:
            if header.kind == async_batch_pb2.SHUTDOWN:
                self._watch.stop()
            self._worker.on_request(
                header, lambda: self._decoder.read(self._body(header, body), header.row_count)
            )

    def _body(self, header: Any, body: memoryview) -> Any:
        if header.HasField("shared_body") and self._memory is not None:
            return self._memory.input(header.shared_body.offset, header.shared_body.length)
        # The buffer behind the frame is used again.
        return bytes(body) if self._worker.shares_memory else body

    def _on_closed(self, error: Optional[BaseException]) -> None:
        if error is not None:
            _LOGGER.error("The connection to the operator broke", exc_info=error)
        self._watch.stop()
        self._worker.end(in_order=False)
