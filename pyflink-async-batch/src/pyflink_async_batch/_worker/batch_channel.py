"""Record batches over the batch channel: in its frames, or in shared memory."""

import logging
from typing import Any, Dict, Optional

import pyarrow as pa

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.answerer import BatchTooLargeError
from pyflink_async_batch._worker.frame_channel import FrameChannel
from pyflink_async_batch._worker.shared_memory import SharedMemory

_LOGGER = logging.getLogger(__name__)

SharedBody = async_batch_pb2.SharedBody

# The default pool of pyarrow gives large memory back to the system at once and pays for its pages
# each time: ten times the cost of the copy for a batch of 10 MB.
_LARGE_BYTES = 1024 * 1024


class BatchChannel:
    """
    Sends answers as frames, with large bodies in shared memory once the operator maps it. Lives on
    the event loop's thread.

    :param frames: the connection to the operator.
    :param limits: the ``BatchChannel`` that the operator described.
    """

    def __init__(self, frames: FrameChannel, limits: Any) -> None:
        self._frames = frames
        self._limits = limits
        self._memory: Optional[SharedMemory] = None
        # Where the region of each body begins that the operator has yet to read.
        self._region_of: Dict[int, int] = {}

    def share(self, memory: SharedMemory) -> None:
        """Places large bodies in this memory from now on."""
        self._memory = memory

    def released(self, offset: int) -> None:
        """
        The operator has read a body.

        :param offset: where the body began.
        """
        region = self._region_of.pop(offset, None)
        if region is None or self._memory is None:
            _LOGGER.error("The operator released offset %d, which it was not lent", offset)
        else:
            self._memory.give_back(region)

    def send(self, header: Any) -> None:
        """Sends a frame without a body."""
        self._frames.send(header)

    def send_batch(self, header: Any, batch: pa.RecordBatch) -> None:
        """
        Sends one encapsulated Arrow IPC record batch message.

        :raises BatchTooLargeError: the message is larger than ``max_frame_bytes``.
        """
        size = required_size(batch, self._limits.max_frame_bytes)
        if size < self._limits.shared_memory_threshold or not self._share(header, batch, size):
            pool = pa.system_memory_pool() if size >= _LARGE_BYTES else None
            self._frames.send(header, batch.serialize(memory_pool=pool))

    def _share(self, header: Any, batch: pa.RecordBatch, size: int) -> bool:
        """Returns False if the body does not find room in shared memory."""
        if self._memory is None:
            return False
        # Arrow writes the schema before the batch, unless it writes to memory of its own.
        room = batch.schema.serialize().size + size
        region = self._memory.take(room)
        if region is None:
            return False
        try:
            with pa.FixedSizeBufferWriter(pa.py_buffer(self._memory.result(region, room))) as sink:
                pa.ipc.new_stream(sink, batch.schema).write_batch(batch)
                offset = region + sink.tell() - size
        except BaseException:
            self._memory.give_back(region)
            raise
        self._region_of[offset] = region
        header.shared_body.CopyFrom(SharedBody(offset=offset, length=size))
        self._frames.send(header)
        return True


def required_size(batch: pa.RecordBatch, max_frame_bytes: int) -> int:
    """
    :return: how many bytes the batch's message has.
    :raises BatchTooLargeError: more than that.
    """
    size = int(pa.ipc.get_record_batch_size(batch))
    if size > max_frame_bytes:
        raise BatchTooLargeError(
            "%d bytes, more than the transport takes: max_frame_bytes=%d" % (size, max_frame_bytes)
        )
    return size
