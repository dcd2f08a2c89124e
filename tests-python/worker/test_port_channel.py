"""Batches that change hands in memory, against a port that is in the hands of the test."""

import asyncio
import ctypes
import os
import struct
import threading
from typing import Any, Callable, Dict, List, Optional, Tuple

import pyarrow as pa
import pytest
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.answerer import BatchTooLargeError
from pyflink_async_batch._worker.port_channel import PortChannel, _holder, _let_hold, _Loan

FrameHeader = async_batch_pb2.FrameHeader
Struct = ctypes.c_int64 * 10
OFFSET, CHILD_COUNT, BUFFERS, CHILDREN, RELEASE, PRIVATE_DATA = 2, 4, 5, 6, 8, 9

LONGS = pa.schema([pa.field("value", pa.int64())])


class Port:
    """Lends the batches of its requests, and reads those of answers, as the operator does."""

    def __init__(self, schema: pa.Schema = LONGS, fails: bool = False) -> None:
        self.schema = schema
        self.fails = fails
        self.requests: List[Tuple[Any, Optional[pa.RecordBatch]]] = []
        self.answers: List[Tuple[Any, Optional[pa.RecordBatch]]] = []
        self.addresses: List[int] = []
        self.lent: Dict[int, Any] = {}
        self.pipe = -1
        self.on_release: Callable[[], None] = lambda: None

    def __call__(self, name: str, argument: Any) -> Any:
        return getattr(self, name)(argument)

    def attach(self, packed: bytes) -> None:
        descriptor, self.incoming, self.outgoing, self.let_go = struct.unpack("=4q", packed)
        self.pipe = os.dup(descriptor)

    def submit(self, header: Any, batch: Optional[pa.RecordBatch] = None) -> None:
        self.requests.append((header, batch))
        os.write(self.pipe, b"\0")

    def poll(self, _: Any) -> Optional[bytes]:
        if not self.requests:
            return None
        header, batch = self.requests.pop(0)
        if batch is not None:
            self._lend(batch, header.batch_id)
        return bytes(header.SerializeToString())

    def _lend(self, batch: pa.RecordBatch, number: int) -> None:
        """Replaces Arrow's release callbacks."""
        own = Struct()
        batch._export_to_c(ctypes.addressof(own))
        copies: List[Any] = []
        lent = self._copy(ctypes.addressof(own), copies)
        lent[PRIVATE_DATA] = number
        ctypes.memmove(self.incoming, lent, ctypes.sizeof(Struct))
        self.lent[number] = (own, copies)

    def _copy(self, address: int, copies: List[Any]) -> Any:
        copy = Struct(*Struct.from_address(address))
        children = (ctypes.c_int64 * copy[CHILD_COUNT]).from_address(copy[CHILDREN])
        below = [self._copy(child, copies) for child in children]
        pointers = (ctypes.c_int64 * len(below))(*map(ctypes.addressof, below))
        copy[CHILDREN] = ctypes.addressof(pointers)
        copy[RELEASE], copy[PRIVATE_DATA] = self.let_go, 0
        copies += [copy, pointers]
        return copy

    def release(self, number: int) -> None:
        own, _ = self.lent.pop(number)
        pa.RecordBatch._import_from_c(ctypes.addressof(own), self.schema)
        self.on_release()

    def answer(self, header: bytes) -> None:
        self.answers.append((FrameHeader.FromString(header), None))

    def answerBatch(self, header: bytes) -> None:  # noqa: N802 - as Java spells it
        if self.fails:
            raise RuntimeError("no")
        top = Struct.from_address(self.outgoing)
        first = Struct.from_address(ctypes.c_int64.from_address(top[CHILDREN]).value)
        self.addresses.append(ctypes.c_int64.from_address(first[BUFFERS] + 8).value)
        # Reads the batch, and leaves the struct as it was, for its owner to release.
        kept = Struct(*top)
        batch = pa.RecordBatch._import_from_c(self.outgoing, self.schema)
        copied = pa.ipc.read_record_batch(batch.serialize(), self.schema)
        self.answers.append((FrameHeader.FromString(header), copied))
        self.offsets = offsets_of(ctypes.addressof(kept))
        batch._export_to_c(self.outgoing)


def offsets_of(address: int) -> List[int]:
    """The offsets of an array and those below it."""
    array = Struct.from_address(address)
    children = (ctypes.c_int64 * array[CHILD_COUNT]).from_address(array[CHILDREN])
    return [array[OFFSET]] + [offset for child in children for offset in offsets_of(child)]


def channel_of(port: Port, max_frame_bytes: int = 1 << 20) -> PortChannel:
    schema = port.schema.serialize().to_pybytes()
    return PortChannel(
        port,
        async_batch_pb2.UserDefinedAsyncBatchFunction(
            input_schema=schema,
            output_schema=schema,
            channel=async_batch_pb2.BatchChannel(max_frame_bytes=max_frame_bytes),
        ),
    )


def batch_of(values: List[Any], schema: pa.Schema = LONGS) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(values, schema.field(0).type)], schema=schema)


@pytest.fixture
def allocated() -> Any:
    """The bytes that a test has allocated and not released."""
    before = pa.total_allocated_bytes()
    return lambda: pa.total_allocated_bytes() - before


def test_requests_are_taken_in_their_order_whenever_they_come() -> None:
    port = Port()
    channel = channel_of(port)
    taken: List[Tuple[int, Any]] = []

    async def take_three() -> None:
        done = asyncio.get_running_loop().create_future()

        def on_request(header: Any, read: Callable[[], pa.RecordBatch]) -> None:
            if header.kind == async_batch_pb2.SHUTDOWN:
                done.set_result(None)
            else:
                taken.append((header.batch_id, read().to_pydict()["value"]))
                if len(taken) == 2:
                    port.submit(FrameHeader(kind=async_batch_pb2.SHUTDOWN))

        port.submit(FrameHeader(batch_id=1), batch_of([1, 2]))
        channel.listen(on_request)
        port.submit(FrameHeader(batch_id=2), batch_of([3]))
        await asyncio.wait_for(done, 60)
        channel.close()

    asyncio.run(take_three())
    assert taken == [(1, [1, 2]), (2, [3])]


def fetch(channel: PortChannel) -> List[pa.RecordBatch]:
    """What one wake-up brings."""
    batches: List[pa.RecordBatch] = []
    channel._fetch(lambda header, read: batches.append(read()))
    return batches


def test_a_batch_is_lent_until_it_is_dropped(allocated: Any) -> None:
    port = Port()
    channel = channel_of(port)
    port.submit(FrameHeader(batch_id=1), batch_of(list(range(1000))))
    port.submit(FrameHeader(batch_id=2), batch_of([1]))
    batches = fetch(channel)
    assert sorted(port.lent) == [1, 2]
    column = batches[0].column(0)
    del batches
    channel._give_back()
    # A column keeps the memory of its batch.
    assert sorted(port.lent) == [1]
    assert column.to_pylist() == list(range(1000))
    del column
    channel._give_back()
    assert port.lent == {}
    assert allocated() == 0
    channel.close()


def test_a_child_that_was_moved_keeps_the_memory_of_its_batch() -> None:
    """Whoever imports an array may take one of those below it, and release the rest."""
    port = Port()
    channel = channel_of(port)
    port.submit(FrameHeader(batch_id=1), batch_of([5, 6]))
    port.poll(None)
    _let_hold(port.incoming, _holder(_Loan(channel._on_let_go, 1)))
    top = Struct.from_address(port.incoming)
    child = Struct.from_address(ctypes.c_int64.from_address(top[CHILDREN]).value)
    moved = Struct(*child)
    child[RELEASE] = 0
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(top[RELEASE])(port.incoming)
    channel._give_back()
    assert sorted(port.lent) == [1]
    column = pa.Array._import_from_c(ctypes.addressof(moved), pa.int64())
    assert column.to_pylist() == [5, 6]
    del column
    channel._give_back()
    assert port.lent == {}
    channel.close()


def test_a_batch_that_is_dropped_by_an_exception_is_given_back_and_the_exception_goes_on() -> None:
    """An operand that nothing else holds is released with the exception set in the thread."""
    port = Port()
    channel = channel_of(port)
    port.submit(FrameHeader(batch_id=1), batch_of([1, 2]))
    batches = fetch(channel)

    def fail() -> Any:
        raise KeyError("of the function")

    with pytest.raises(KeyError, match="of the function"):
        print(batches.pop(), fail())
    channel._give_back()
    assert port.lent == {}
    channel.close()


def test_a_batch_is_given_back_by_a_coroutine_that_returns(allocated: Any) -> None:
    """On Python 3.9 its locals are released with the StopIteration set that holds its result."""
    port = Port(pa.schema([pa.field("value", pa.list_(pa.struct([("a", pa.int64())])))]))
    channel = channel_of(port)
    port.submit(FrameHeader(batch_id=1), batch_of([[{"a": 1}], None, []], port.schema))
    batches = fetch(channel)

    async def read() -> List[Any]:
        batch = batches.pop()
        batch.validate(full=True)
        return list(batch.column(0).to_pylist())

    assert asyncio.run(read()) == [[{"a": 1}], None, []]
    channel._give_back()
    assert port.lent == {}
    assert allocated() == 0
    channel.close()


def test_a_batch_that_is_dropped_while_others_are_fetched_is_given_back() -> None:
    port = Port()
    channel = channel_of(port)
    port.submit(FrameHeader(batch_id=1), batch_of([1]))
    channel._fetch(lambda header, read: read())
    assert port.lent == {}
    channel.close()


def test_a_batch_that_another_thread_drops_is_given_back_by_the_loop() -> None:
    port = Port()
    channel = channel_of(port)
    gave_back: List[threading.Thread] = []

    async def drop() -> None:
        batches: List[pa.RecordBatch] = []
        arrived, returned = asyncio.Event(), asyncio.Event()

        def on_request(header: Any, read: Callable[[], pa.RecordBatch]) -> None:
            batches.append(read())
            arrived.set()

        def on_release() -> None:
            gave_back.append(threading.current_thread())
            returned.set()

        port.on_release = on_release
        channel.listen(on_request)
        port.submit(FrameHeader(batch_id=1), batch_of([1]))
        await arrived.wait()
        await asyncio.get_running_loop().run_in_executor(None, batches.clear)
        await returned.wait()

    asyncio.run(asyncio.wait_for(drop(), 60))
    assert gave_back == [threading.current_thread()]
    assert port.lent == {}
    channel.close()


def test_a_batch_that_outlives_its_channel_is_given_back_when_it_is_dropped() -> None:
    port = Port()
    channel = channel_of(port)
    port.submit(FrameHeader(batch_id=1), batch_of([1, 2]))
    batches = fetch(channel)
    channel.close()
    assert sorted(port.lent) == [1]
    assert batches[0].column(0).to_pylist() == [1, 2]
    batches.clear()
    assert port.lent == {}


def test_answers_are_read_where_they_lie() -> None:
    port = Port()
    channel = channel_of(port)
    batch = batch_of([1, None, 3])
    channel.send(FrameHeader(kind=async_batch_pb2.READY))
    channel.send_batch(FrameHeader(batch_id=7), batch)
    (ready, nothing), (header, results) = port.answers
    assert (ready.kind, nothing) == (async_batch_pb2.READY, None)
    assert header.batch_id == 7
    assert results is not None
    assert results.equals(batch)
    assert port.addresses == [batch.column(0).buffers()[1].address]
    channel.close()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, 3, 4], pa.int64()),
        (["a", "bc", None, "d"], pa.string()),
        ([[1], [2, 3], None, []], pa.list_(pa.int64())),
        ([{"a": 1}, {"a": None}, None, {"a": 4}], pa.struct([("a", pa.int64())])),
        ([[("a", 1)], [], [("b", 2), ("c", 3)], []], pa.map_(pa.string(), pa.int64())),
    ],
    ids=str,
)
def test_columns_that_have_been_sliced_are_copied(values: List[Any], kind: pa.DataType) -> None:
    port = Port(pa.schema([pa.field("value", kind)]))
    channel = channel_of(port)
    channel.send_batch(FrameHeader(), batch_of(values, port.schema).slice(1))
    ((_, results),) = port.answers
    assert set(port.offsets) == {0}
    assert results is not None
    assert results.equals(batch_of(values[1:], port.schema))
    channel.close()


def test_a_slice_below_the_top_is_copied_too() -> None:
    port = Port(pa.schema([pa.field("value", pa.struct([("a", pa.int64())]))]))
    channel = channel_of(port)
    inner = pa.array([0, 1, 2]).slice(1)
    sliced = pa.StructArray.from_arrays([inner], names=["a"])
    channel.send_batch(FrameHeader(), pa.RecordBatch.from_arrays([sliced], schema=port.schema))
    ((_, results),) = port.answers
    assert set(port.offsets) == {0}
    assert results is not None
    assert results.column(0).to_pylist() == [{"a": 1}, {"a": 2}]
    channel.close()


@pytest.mark.parametrize("fails", [False, True], ids=["read", "refused"])
def test_an_answer_is_released_once_it_has_been_given(allocated: Any, fails: bool) -> None:
    port = Port(fails=fails)
    channel = channel_of(port)
    for _ in range(2):
        try:
            channel.send_batch(FrameHeader(), batch_of(list(range(1000))))
        except RuntimeError:
            assert fails
    port.answers.clear()
    assert allocated() == 0
    channel.close()


def test_an_answer_that_is_too_large_is_not_sent() -> None:
    port = Port()
    channel = channel_of(port, max_frame_bytes=1000)
    with pytest.raises(BatchTooLargeError, match="max_frame_bytes=1000"):
        channel.send_batch(FrameHeader(), batch_of(list(range(1000))))
    assert port.answers == []
    channel.close()


def test_a_channel_leaves_no_descriptor_open() -> None:
    before = os.listdir("/proc/self/fd")
    port = Port()
    channel_of(port).close()
    os.close(port.pipe)
    assert os.listdir("/proc/self/fd") == before
