"""
Record batches in and out of the event loop where they lie, described by structs of the Arrow C Data
Interface.
"""

import asyncio
import collections
import contextlib
import ctypes
import os
import struct
from typing import Any, Callable, Deque, Optional

import pyarrow as pa

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.batch_channel import required_size

FrameHeader = async_batch_pb2.FrameHeader

OnRequest = Callable[[Any, Callable[[], pa.RecordBatch]], None]

# struct ArrowArray: ten fields of eight bytes each, among them these.
_ArrowArray = ctypes.c_int64 * 10
_NULL_COUNT = 1
_OFFSET = 2
_CHILD_COUNT = 4
_CHILDREN = 6
_RELEASE = 8
_PRIVATE_DATA = 9

_WAKE_BYTES = 4096


class _Loan:
    """
    What the arrays of a borrowed batch hold on to together; user code may do so long after their
    channel is closed.

    The last of them may be let go by any thread, and while an exception makes its way through it.
    So nothing written in Python can be a release callback: ctypes would call it in spite of that
    exception, which would break it off, and Arrow ends the process where a struct is left
    unreleased. The callback is therefore Arrow's own for what it exports, which drops a reference,
    and the finalizer here is what Python shields from that exception.

    :param let_go: called once, with the batch's id.
    """

    def __init__(self, let_go: Callable[[int], None], batch_id: int) -> None:
        self._let_go = let_go
        self._batch_id = batch_id

    def __del__(self) -> None:
        self._let_go(self._batch_id)


def _holder(held: Any) -> pa.Array:
    """An empty array that keeps an object."""
    return pa.Array.from_buffers(pa.int8(), 0, [None, pa.foreign_buffer(0, 0, held)])


def _exported(array: pa.Array) -> Any:
    struct = _ArrowArray()
    array._export_to_c(ctypes.addressof(struct))
    return struct


# The same for all that Arrow exports; the operator writes it into the structs of its batches. The
# struct that tells it is never released.
_ARROWS_RELEASE = _exported(_holder(None))[_RELEASE]


def _let_hold(address: int, holder: pa.Array) -> None:
    """Has the struct of an array, and those below it, keep what a holder keeps until released."""
    array = _ArrowArray.from_address(address)
    array[_PRIVATE_DATA] = _exported(holder)[_PRIVATE_DATA]
    for child in (ctypes.c_int64 * array[_CHILD_COUNT]).from_address(array[_CHILDREN]):
        _let_hold(child, holder)


class PortChannel:
    """
    The loop's side of the operator's ``LoopPort``. Lives on the event loop's thread.

    :param port: called with the name of what is wanted and an argument.
    :param description: the ``UserDefinedAsyncBatchFunction`` that the operator sent.
    """

    def __init__(self, port: Callable[[str, Any], Any], description: Any) -> None:
        self._port = port
        self._max_frame_bytes = description.channel.max_frame_bytes
        self.input_schema = pa.ipc.read_schema(pa.py_buffer(description.input_schema))
        # Each holds nothing between two calls.
        self._incoming = _ArrowArray()
        self._outgoing = _ArrowArray()
        self._incoming_address = ctypes.addressof(self._incoming)
        self._outgoing_address = ctypes.addressof(self._outgoing)
        self._returned: Deque[int] = collections.deque()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._is_fetching = False
        self._is_closed = False
        self._wake_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            # The operator opens the pipe once more, for itself.
            port(
                "attach",
                struct.pack(
                    "=4q",
                    write_end,
                    self._incoming_address,
                    self._outgoing_address,
                    _ARROWS_RELEASE,
                ),
            )
        except BaseException:
            os.close(self._wake_end)
            raise
        finally:
            os.close(write_end)

    def listen(self, on_request: OnRequest) -> None:
        """
        Begins to take requests, on the running loop.

        :param on_request: called with a request's header and with what gives its batch, to be
                           called, once, before it returns.
        """
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._wake_end, self._fetch, on_request)

    def _fetch(self, on_request: OnRequest) -> None:
        with contextlib.suppress(BlockingIOError):
            if not os.read(self._wake_end, _WAKE_BYTES):
                # The operator has closed its end; what it asked for before is still there.
                self._stop_listening()
        self._is_fetching = True
        try:
            while True:
                header = self._port("poll", None)
                if header is None:
                    return
                on_request(FrameHeader.FromString(header), self._borrow)
                self._give_back()
        finally:
            # In this order: who sees that this fetches relies on what follows.
            self._is_fetching = False
            self._give_back()

    def _stop_listening(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._wake_end)

    def _borrow(self) -> pa.RecordBatch:
        loan = _Loan(self._on_let_go, self._incoming[_PRIVATE_DATA])
        _let_hold(self._incoming_address, _holder(loan))
        return pa.RecordBatch._import_from_c(self._incoming_address, self.input_schema)

    def _on_let_go(self, batch_id: int) -> None:
        # By any thread, and wherever garbage is collected: the operator is told from a place where
        # a call to it is not in the middle of something.
        self._returned.append(batch_id)
        if self._is_closed:
            self._give_back()
        elif not self._is_fetching and self._loop is not None:
            try:
                self._loop.call_soon_threadsafe(self._give_back)
            except RuntimeError:
                # The loop has just been closed.
                self._give_back()

    def _give_back(self) -> None:
        # Several threads may be here once this is closed.
        with contextlib.suppress(IndexError):
            while True:
                self._port("release", self._returned.popleft())

    def send(self, header: Any) -> None:
        """Gives an answer that is all header."""
        self._port("answer", header.SerializeToString())

    def send_batch(self, header: Any, batch: pa.RecordBatch) -> None:
        """
        Gives an answer with a record batch, which the operator has read when this returns.

        :raises BatchTooLargeError: the batch is larger than ``max_frame_bytes``.
        """
        required_size(batch, self._max_frame_bytes)
        _export(batch, self._outgoing_address)
        try:
            self._port("answerBatch", header.SerializeToString())
        finally:
            pa.RecordBatch._import_from_c(self._outgoing_address, batch.schema)

    def close(self) -> None:
        """Takes no more requests. The loop does not run any more."""
        self._stop_listening()
        os.close(self._wake_end)
        self._is_closed = True
        self._give_back()


def _export(batch: pa.RecordBatch, address: int) -> None:
    """The operator takes no offsets into columns: what has been sliced is copied for it."""
    batch._export_to_c(address)
    if not _is_plain(address):
        batch = pa.RecordBatch._import_from_c(address, batch.schema)
        pa.ipc.read_record_batch(batch.serialize(), batch.schema)._export_to_c(address)


def _is_plain(address: int) -> bool:
    """Whether an array and those below it begin at 0 and know how many nulls they have."""
    array = _ArrowArray.from_address(address)
    if array[_OFFSET] != 0 or array[_NULL_COUNT] < 0:
        return False
    children = (ctypes.c_int64 * array[_CHILD_COUNT]).from_address(array[_CHILDREN])
    return all(map(_is_plain, children))
