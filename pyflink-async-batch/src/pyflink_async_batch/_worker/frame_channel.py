"""
The worker's end of the batch channel: frames of a protobuf header and a body, in both directions,
on the event loop that runs the user's coroutines.
"""

import asyncio
import socket
import struct
import time
from typing import Any, Callable, List, Optional, Union

from pyflink_async_batch._proto import async_batch_pb2

Buffer = Union[bytes, bytearray, memoryview]

# fixed32 header length, fixed64 body length, little-endian.
_PREFIX = struct.Struct("<IQ")
_MAX_HEADER_BYTES = 1024 * 1024
_RECEIVE_BYTES = 256 * 1024
# Joining pieces costs a copy and saves a system call.
_JOIN_BYTES = 64 * 1024
# A frame waits for others of the same turn of the loop only if the loop is this quick: behind a
# coroutine that computes for long it would wait as long.
_QUICK_SECONDS = 0.0002


class FrameError(Exception):
    """The operator sent something that is not a frame of the protocol."""


class FrameChannel(asyncio.BufferedProtocol):
    """
    A connection to the operator. Lives on the event loop's thread.

    :param on_frame: called with header and body of each frame; the body is only valid during the
                     call, as the buffer behind it is used again.
    :param on_closed: called once when nothing more will arrive, with the reason if there is one.
    :param max_frame_bytes: largest body that is accepted.
    """

    def __init__(
        self,
        on_frame: Callable[[Any, memoryview], None],
        on_closed: Callable[[Optional[BaseException]], None],
        max_frame_bytes: int,
    ) -> None:
        self._on_frame = on_frame
        self._on_closed = on_closed
        self._max_frame_bytes = max_frame_bytes
        self._transport: Optional[asyncio.Transport] = None
        self._loop: asyncio.AbstractEventLoop
        self._buffer = memoryview(bytearray(_RECEIVE_BYTES))
        self._start = 0
        self._end = 0
        self._error: Optional[BaseException] = None
        self._unsent: List[Buffer] = []
        self._unsent_bytes = 0
        self._last_turn = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()

    def connection_lost(self, error: Optional[BaseException]) -> None:
        self._on_closed(self._error or error)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer[self._end :]

    def buffer_updated(self, count: int) -> None:
        self._end += count
        self._last_turn = time.perf_counter()
        try:
            self._hand_whole_frames_on()
        except FrameError as error:
            self._error = error
            assert self._transport is not None
            self._transport.abort()

    def _hand_whole_frames_on(self) -> None:
        needed = _PREFIX.size
        while self._end - self._start >= _PREFIX.size:
            header_bytes, body_bytes = _PREFIX.unpack_from(self._buffer, self._start)
            if header_bytes > _MAX_HEADER_BYTES or body_bytes > self._max_frame_bytes:
                raise FrameError(
                    "a frame's header must be at most %d bytes and its body at most "
                    "max_frame_bytes=%d: header=%d, body=%d"
                    % (_MAX_HEADER_BYTES, self._max_frame_bytes, header_bytes, body_bytes)
                )
            needed = _PREFIX.size + header_bytes + body_bytes
            if self._end - self._start < needed:
                break
            body_start = self._start + _PREFIX.size + header_bytes
            try:
                header = async_batch_pb2.FrameHeader.FromString(
                    bytes(self._buffer[self._start + _PREFIX.size : body_start])
                )
            except Exception as error:
                raise FrameError("a frame header cannot be parsed") from error
            self._start += needed
            self._on_frame(header, self._buffer[body_start : self._start])
            needed = _PREFIX.size
        self._make_room(needed)

    def _make_room(self, needed: int) -> None:
        """Leaves room for the rest of the frame that begins at the start of what is unread."""
        unread = self._end - self._start
        if unread == 0:
            self._start = self._end = 0
        if needed > len(self._buffer):
            larger = memoryview(bytearray(needed))
            larger[:unread] = self._buffer[self._start : self._end]
            self._buffer = larger
            self._start, self._end = 0, unread
        elif self._start + needed > len(self._buffer) or self._end == len(self._buffer):
            # Overlapping slices of one memoryview must go through a copy.
            self._buffer[:unread] = bytes(self._buffer[self._start : self._end])
            self._start, self._end = 0, unread

    def send(self, header: Any, body: Optional[Buffer] = None) -> None:
        """
        Sends a frame, together with others that follow at once; one sent after the connection was
        lost is dropped.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        header_bytes = header.SerializeToString()
        # Transports take no other buffers than Python's own.
        view = memoryview(b"" if body is None else body)
        self._unsent.append(_PREFIX.pack(len(header_bytes), view.nbytes) + header_bytes)
        self._unsent.append(view)
        first = self._unsent_bytes == 0
        self._unsent_bytes += len(self._unsent[-2]) + view.nbytes
        now = time.perf_counter()
        quick = now - self._last_turn < _QUICK_SECONDS
        self._last_turn = now
        if not quick or self._unsent_bytes > _JOIN_BYTES:
            self._flush()
        elif first:
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._unsent_bytes == 0 or self._transport is None:
            return
        if self._unsent_bytes <= 2 * _JOIN_BYTES:
            self._transport.write(b"".join(self._unsent))
        else:
            for piece in self._unsent:
                self._transport.write(piece)
        self._unsent.clear()
        self._unsent_bytes = 0

    def close(self) -> None:
        """Closes the connection once everything that was sent has been written."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Closes the connection at once, without an event loop."""
        self._flush()
        if self._transport is not None:
            connection = self._transport.get_extra_info("socket")
            self._transport.abort()
            connection.shutdown(socket.SHUT_RDWR)
