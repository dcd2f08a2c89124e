"""Whatever arrives in place of what the operator sends: a clear error, never a crash or a hang."""

import asyncio
import random
import socket
import struct
import tracemalloc
from pathlib import Path
from typing import Any, List, Optional, Tuple

import pyarrow as pa
import pytest
from codec_calls import decode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.batch_decoder import MalformedBatch
from pyflink_async_batch._worker.frame_channel import FrameChannel, FrameError

GOLDEN = Path(__file__).resolve().parents[2] / "proto" / "golden"
# Pickled elements are code: what is unpickled is what the job's own functions made.
TYPES = sorted(path.stem for path in GOLDEN.glob("arrow_*.batch") if "pickled" not in path.stem)
MAX_FRAME_BYTES = 64 * 1024
EXTREMES = [0, 1, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def damaged(body: bytes, choices: random.Random) -> bytes:
    """Bytes changed, 32-bit words set to extremes, parts cut out, repeated or cut off."""
    bytes_left = bytearray(body)
    for _ in range(choices.randint(1, 4)):
        if not bytes_left:
            break
        at = choices.randrange(len(bytes_left))
        kind = choices.randrange(5)
        if kind == 0:
            bytes_left[at] = choices.randrange(256)
        elif kind == 1:
            at -= at % 4
            bytes_left[at : at + 4] = struct.pack("<I", choices.choice(EXTREMES))
        elif kind == 2:
            at -= at % 8
            bytes_left[at : at + 8] = struct.pack("<q", choices.choice([-1, 2**31, 2**40, 2**62]))
        elif kind == 3:
            del bytes_left[at : at + choices.randint(1, 16)]
        else:
            del bytes_left[at:]
    return bytes(bytes_left)


@pytest.mark.parametrize("name", TYPES)
def test_a_damaged_batch_is_refused_or_read(name: str) -> None:
    schema = (GOLDEN / f"{name}.schema").read_bytes()
    body = (GOLDEN / f"{name}.batch").read_bytes()
    rows = pa.ipc.read_record_batch(
        pa.py_buffer(body), pa.ipc.read_schema(pa.py_buffer(schema))
    ).num_rows
    choices = random.Random(name)
    refused = 0
    for _ in range(400):
        try:
            assert len(decode(schema, damaged(body, choices), rows)) == rows
        except MalformedBatch:
            refused += 1
    assert refused > 50


def compressed(codec: str, count: int) -> Tuple[pa.Schema, pa.Buffer]:
    field = pa.field("value", pa.int64(), nullable=False, metadata={"asyncbatch.type": "LONG"})
    schema = pa.schema([field], metadata={"asyncbatch.layout": "VALUE"})
    batch = pa.RecordBatch.from_arrays([pa.array([0] * count, pa.int64())], schema=schema)
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=codec)
    with pa.ipc.new_stream(sink, schema, options=options) as writer:
        writer.write_batch(batch)
    return schema, sink.getvalue().slice(schema.serialize().size)


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_a_body_that_unpacks_to_more_than_was_sent_is_refused(codec: str) -> None:
    schema, body = compressed(codec, 1_000_000)
    assert body.size < 100_000
    before = pa.total_allocated_bytes()
    with pytest.raises(MalformedBatch, match="compressed"):
        decode(schema, body, 1_000_000)
    assert pa.total_allocated_bytes() == before


class Listener:
    """What a channel reports of what it is sent."""

    def __init__(self) -> None:
        self.bodies: List[int] = []
        self.closed: asyncio.Future[Optional[BaseException]] = (
            asyncio.get_running_loop().create_future()
        )

    def on_frame(self, header: Any, body: memoryview) -> None:
        self.bodies.append(len(body))

    def on_closed(self, error: Optional[BaseException]) -> None:
        self.closed.set_result(error)


def receive(pieces: List[bytes]) -> Tuple[Listener, Optional[BaseException]]:
    async def run() -> Tuple[Listener, Optional[BaseException]]:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        listener = Listener()
        channel = FrameChannel(listener.on_frame, listener.on_closed, MAX_FRAME_BYTES)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: channel, sock=ours)
        try:
            for piece in pieces:
                await loop.sock_sendall(theirs, piece)
        except ConnectionError:
            pass  # the channel has seen enough
        finally:
            theirs.close()
        return listener, await asyncio.wait_for(listener.closed, 60)

    return asyncio.run(run())


def frames(count: int, choices: random.Random) -> bytes:
    stream = b""
    for i in range(count):
        header = async_batch_pb2.FrameHeader(
            kind=async_batch_pb2.INVOKE, batch_id=i + 1, attempt=1, row_count=1
        ).SerializeToString()
        body = choices.randbytes(choices.randrange(200))
        stream += struct.pack("<IQ", len(header), len(body)) + header + body
    return stream


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32), st.lists(st.integers(1, 300), max_size=5))
def test_a_damaged_stream_ends_the_connection(seed: int, cuts: List[int]) -> None:
    choices = random.Random(seed)
    stream = damaged(frames(5, choices), choices)
    pieces = []
    for cut in cuts:
        pieces.append(stream[:cut])
        stream = stream[cut:]
    listener, error = receive([*pieces, stream])
    assert error is None or isinstance(error, FrameError)
    assert all(size <= MAX_FRAME_BYTES for size in listener.bodies)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_end_the_connection(stream: bytes) -> None:
    _, error = receive([stream])
    assert error is None or isinstance(error, FrameError)


@pytest.mark.parametrize(
    ("header", "body"), [(2**32 - 1, 0), (2**20 + 1, 0), (8, MAX_FRAME_BYTES + 1), (8, 2**64 - 1)]
)
def test_no_memory_is_taken_for_a_frame_that_is_too_large(header: int, body: int) -> None:
    tracemalloc.start()
    try:
        _, error = receive([struct.pack("<IQ", header, body)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(error, FrameError)
    assert peak < 1024 * 1024
