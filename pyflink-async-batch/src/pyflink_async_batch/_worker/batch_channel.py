"""Record batches over the frames of the batch channel."""

from typing import Any

import pyarrow as pa

from pyflink_async_batch._worker.answerer import BatchTooLargeError
from pyflink_async_batch._worker.frame_channel import FrameChannel


class BatchChannel:
    """
    Sends answers as frames. Lives on the event loop's thread.

    :param frames: the connection to the operator.
    :param max_frame_bytes: largest body that may be sent.
    """

    def __init__(self, frames: FrameChannel, max_frame_bytes: int) -> None:
        self._frames = frames
        self._max_frame_bytes = max_frame_bytes

    def send(self, header: Any) -> None:
        """Sends a frame without a body."""
        self._frames.send(header)

    def send_batch(self, header: Any, batch: pa.RecordBatch) -> None:
        """
        Sends a frame whose body is one encapsulated Arrow IPC record batch message.

        :raises BatchTooLargeError: the message is larger than ``max_frame_bytes``.
        """
        size = pa.ipc.get_record_batch_size(batch)
        if size > self._max_frame_bytes:
            raise BatchTooLargeError(
                "%d bytes, more than the transport takes: max_frame_bytes=%d"
                % (size, self._max_frame_bytes)
            )
        self._frames.send(header, batch.serialize())
