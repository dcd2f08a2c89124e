"""The worker's end of the batch channel, over a real socket pair."""

import asyncio
import random
import socket
import struct
from typing import Any, Awaitable, Callable, List, Optional, Tuple

import pyarrow as pa
import pytest
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.frame_channel import FrameChannel, FrameError

MAX_FRAME_BYTES = 8 * 1024 * 1024
_PREFIX = struct.Struct("<IQ")


class Peer:
    """The operator's end of the channel, and what the worker's end reported."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.frames: asyncio.Queue[Tuple[Any, bytes]] = asyncio.Queue()
        self.closed: asyncio.Future[Optional[BaseException]] = (
            asyncio.get_running_loop().create_future()
        )

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.connection, data)

    async def read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = await asyncio.get_running_loop().sock_recv(self.connection, count - len(data))
            assert part
            data += part
        return data


def frame(header: Any, body: bytes = b"") -> bytes:
    header_bytes = header.SerializeToString()
    return _PREFIX.pack(len(header_bytes), len(body)) + header_bytes + body


def invoke(batch_id: int) -> Any:
    return async_batch_pb2.FrameHeader(
        kind=async_batch_pb2.INVOKE, batch_id=batch_id, attempt=1, row_count=1
    )


def with_channel(test: Callable[[FrameChannel, Peer], Awaitable[None]]) -> None:
    async def run() -> None:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        peer = Peer(theirs)
        channel = FrameChannel(
            lambda header, body: peer.frames.put_nowait((header, bytes(body))),
            lambda error: peer.closed.set_result(error),
            MAX_FRAME_BYTES,
        )
        await asyncio.get_running_loop().create_connection(lambda: channel, sock=ours)
        try:
            await asyncio.wait_for(test(channel, peer), timeout=60)
        finally:
            channel.close()
            theirs.close()

    asyncio.run(run())


@pytest.mark.parametrize("body_bytes", [0, 1, 1000, 256 * 1024, 3 * 1024 * 1024])
def test_hands_on_what_the_operator_sends(body_bytes: int) -> None:
    body = random.Random(body_bytes).randbytes(body_bytes)

    async def test(channel: FrameChannel, peer: Peer) -> None:
        await peer.write(frame(invoke(7), body))
        header, received = await peer.frames.get()
        assert header == invoke(7)
        assert received == body

    with_channel(test)


def test_puts_frames_together_that_arrive_byte_by_byte() -> None:
    async def test(channel: FrameChannel, peer: Peer) -> None:
        for byte in frame(invoke(3), b"forty bytes"):
            await peer.write(bytes([byte]))
            await asyncio.sleep(0)
        assert await peer.frames.get() == (invoke(3), b"forty bytes")

    with_channel(test)


def test_hands_on_many_frames_of_changing_size_in_order() -> None:
    sizes = random.Random(42)
    frames = [(i, bytes([i % 256]) * sizes.randrange(20_000)) for i in range(1, 2_001)]

    async def test(channel: FrameChannel, peer: Peer) -> None:
        writing = asyncio.ensure_future(
            peer.write(b"".join(frame(invoke(i), body) for i, body in frames))
        )
        for i, body in frames:
            assert await peer.frames.get() == (invoke(i), body)
        await writing

    with_channel(test)


def test_a_large_frame_in_the_middle_does_not_disturb_its_neighbours() -> None:
    bodies: List[bytes] = [b"a" * 10, b"b" * 2_000_000, b"c" * 10, b"d" * 300_000, b"e" * 10]

    async def test(channel: FrameChannel, peer: Peer) -> None:
        data = b"".join(frame(invoke(i), body) for i, body in enumerate(bodies, 1))
        writing = asyncio.ensure_future(peer.write(data))
        for i, body in enumerate(bodies, 1):
            assert await peer.frames.get() == (invoke(i), body)
        await writing

    with_channel(test)


@pytest.mark.parametrize(
    "body",
    [None, b"", b"small", b"x" * 1_000_000, pa.py_buffer(b"arrow"), pa.py_buffer(b"x" * 1_000_000)],
    ids=["none", "empty", "small", "large", "small-arrow", "large-arrow"],
)
def test_sends_frames(body: Any) -> None:
    async def test(channel: FrameChannel, peer: Peer) -> None:
        channel.send(invoke(9), body)
        header_bytes, body_bytes = _PREFIX.unpack(await peer.read(_PREFIX.size))
        header = async_batch_pb2.FrameHeader.FromString(await peer.read(header_bytes))
        assert header == invoke(9)
        assert await peer.read(body_bytes) == bytes(memoryview(b"" if body is None else body))

    with_channel(test)


def test_tells_when_the_operator_is_gone_and_drops_what_is_sent_after() -> None:
    async def test(channel: FrameChannel, peer: Peer) -> None:
        peer.connection.close()
        assert await peer.closed is None
        channel.send(invoke(1), b"nobody reads this")

    with_channel(test)


@pytest.mark.parametrize(
    ("header_bytes", "body_bytes"),
    [(0, 2 * MAX_FRAME_BYTES), (2**31, 0), (0, 2**63), (2**32 - 1, 2**64 - 1)],
)
def test_refuses_lengths_out_of_bounds(header_bytes: int, body_bytes: int) -> None:
    async def test(channel: FrameChannel, peer: Peer) -> None:
        await peer.write(_PREFIX.pack(header_bytes, body_bytes))
        error = await peer.closed
        assert isinstance(error, FrameError)
        assert "max_frame_bytes=%d" % MAX_FRAME_BYTES in str(error)
        assert peer.frames.empty()

    with_channel(test)


def test_refuses_a_header_that_cannot_be_parsed() -> None:
    async def test(channel: FrameChannel, peer: Peer) -> None:
        await peer.write(_PREFIX.pack(3, 0) + b"\xff\xff\xff")
        error = await peer.closed
        assert isinstance(error, FrameError)
        assert "cannot be parsed" in str(error)

    with_channel(test)


def test_frames_that_follow_at_once_keep_their_order() -> None:
    async def test(channel: FrameChannel, peer: Peer) -> None:
        frames = [frame(invoke(i), bytes([i]) * i) for i in range(1, 6)]
        await peer.write(frames[0])
        await peer.frames.get()
        for i in range(1, 6):
            channel.send(invoke(i), bytes([i]) * i)
        received = b""
        while len(received) < len(b"".join(frames)):
            received += await peer.read(1)
        assert received == b"".join(frames)

    with_channel(test)


def test_what_was_sent_before_the_end_arrives() -> None:
    async def test(channel: FrameChannel, peer: Peer) -> None:
        channel.send(invoke(1), b"abc")
        channel.send(invoke(2), b"def")
        channel.close()
        expected = frame(invoke(1), b"abc") + frame(invoke(2), b"def")
        assert await peer.read(len(expected)) == expected

    with_channel(test)
