"""Memory that the operator maps too; the test stands in for the operator."""

import asyncio
import gc
import mmap
import os
import stat
import subprocess
import threading
from typing import Any, Awaitable, Callable, List, Tuple

import numpy as np
import pyarrow as pa
import pytest
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import shared_memory
from pyflink_async_batch._worker.answerer import BatchTooLargeError
from pyflink_async_batch._worker.batch_channel import BatchChannel
from pyflink_async_batch._worker.region_table import PAGE_BYTES
from pyflink_async_batch._worker.shared_memory import SharedMemory

SIZE = 64 * PAGE_BYTES

pytestmark = pytest.mark.skipif(
    not shared_memory.is_supported(), reason="needs anonymous files and /proc"
)


class Operator:
    """The operator's end: it maps what it is offered, before the descriptors are closed."""

    def __init__(self, memory: SharedMemory) -> None:
        offer = memory.offer()
        self.descriptors = {"inputs": offer.inputs_fd, "results": offer.results_fd}
        assert offer.pid == os.getpid()
        self.inputs = mmap.mmap(offer.inputs_fd, SIZE)
        self.results = mmap.mmap(offer.results_fd, SIZE, prot=mmap.PROT_READ)


def with_memory(
    test: Callable[[SharedMemory, Operator, List[int]], Awaitable[None]],
) -> None:
    async def run() -> None:
        released: List[int] = []
        memory = SharedMemory(SIZE, released.append)
        await test(memory, Operator(memory), released)

    asyncio.run(run())


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_an_input_is_a_view_that_cannot_be_written() -> None:
    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        operator.inputs[4096:4099] = b"abc"
        view = memory.input(4096, 3)
        assert view.to_pybytes() == b"abc"
        assert not view.is_mutable
        operator.inputs[4096:4099] = b"xyz"
        assert view.to_pybytes() == b"xyz"

    with_memory(test)


def test_an_input_is_kept_as_long_as_anything_refers_to_it() -> None:
    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        operator.inputs[0:64] = bytes(range(64))
        view = memory.input(0, 64)
        array = pa.Array.from_buffers(pa.int8(), 64, [None, view])
        tensor = array.slice(8).to_numpy(zero_copy_only=True).reshape(7, 8)
        del view, array
        gc.collect()
        await turns()
        assert released == []
        assert tensor[0, 0] == 8
        del tensor
        await turns()
        assert released == [0]

    with_memory(test)


def test_an_input_may_be_let_go_in_another_thread() -> None:
    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        views = [memory.input(8192, 10)]
        thread = threading.Thread(target=views.clear)
        thread.start()
        thread.join()
        assert released == []
        await turns()
        assert released == [8192]

    with_memory(test)


def test_an_input_may_outlive_the_loop() -> None:
    kept: List[Any] = []

    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        operator.inputs[0:3] = b"abc"
        kept.append(memory.input(0, 3))

    with_memory(test)
    gc.collect()
    assert kept[0].to_pybytes() == b"abc"
    kept.clear()


def test_a_place_outside_of_the_memory_is_refused() -> None:
    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        for offset, length in [(0, SIZE + 1), (SIZE, 1), (2**63, 1), (1, 2**64 - 1)]:
            with pytest.raises(ValueError, match="is not within shared memory"):
                memory.input(offset, length)

    with_memory(test)


def test_the_files_are_private_and_sealed() -> None:
    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        for fd in operator.descriptors.values():
            assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o600
            assert os.fstat(fd).st_nlink == 0
            for size in (0, SIZE - 1, SIZE + 1):
                with pytest.raises(PermissionError):
                    os.ftruncate(fd, size)
            assert not os.get_inheritable(fd)
        memory.mapped()
        for fd in operator.descriptors.values():
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(fd)

    with_memory(test)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_cannot_open_the_files() -> None:
    paths: List[str] = []

    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        paths.extend(f"/proc/{os.getpid()}/fd/{fd}" for fd in operator.descriptors.values())

    with_memory(test)
    for path in paths:
        assert subprocess.run(["head", "-c1", path], capture_output=True).returncode == 0
        refused = subprocess.run(["cat", path], capture_output=True, text=True, user=65534)
        assert refused.returncode != 0
        assert "Permission denied" in refused.stderr


class Frames:
    """Stands in for the connection."""

    def __init__(self) -> None:
        self.sent: List[Tuple[Any, Any]] = []

    def send(self, header: Any, body: Any = None) -> None:
        self.sent.append((header, body))


def batch_of(count: int) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array(np.arange(count))], names=["value"])


def limits(threshold: int = PAGE_BYTES, most: int = 2 * SIZE) -> Any:
    return async_batch_pb2.BatchChannel(shared_memory_threshold=threshold, max_frame_bytes=most)


def result() -> Any:
    return async_batch_pb2.FrameHeader(kind=async_batch_pb2.RESULT, batch_id=1)


def test_a_large_result_is_placed_in_shared_memory() -> None:
    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        frames = Frames()
        channel = BatchChannel(frames, limits())  # type: ignore[arg-type]
        channel.share(memory)
        for count in (1_000, 2_000):
            channel.send_batch(result(), batch_of(count))
            header, body = frames.sent[-1]
            place = header.shared_body
            message = operator.results[place.offset : place.offset + place.length]
            read = pa.ipc.read_record_batch(pa.py_buffer(message), batch_of(0).schema)
            assert body is None
            assert read.equals(batch_of(count))

    with_memory(test)


def test_room_is_used_again_once_the_operator_has_read_a_result() -> None:
    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        frames = Frames()
        channel = BatchChannel(frames, limits())  # type: ignore[arg-type]
        channel.share(memory)
        for _ in range(1_000):
            channel.send_batch(result(), batch_of(20_000))
            place = frames.sent[-1][0].shared_body
            assert place.length > 160_000
            channel.released(place.offset)
        channel.send_batch(result(), batch_of(20_000))
        channel.send_batch(result(), batch_of(20_000))
        header, body = frames.sent[-1]
        assert not header.HasField("shared_body")
        assert len(body) > 160_000

    with_memory(test)


def test_small_results_and_those_before_the_operator_maps_are_sent() -> None:
    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        frames = Frames()
        channel = BatchChannel(frames, limits())  # type: ignore[arg-type]
        channel.send_batch(result(), batch_of(1_000))
        channel.share(memory)
        channel.send_batch(result(), batch_of(100))
        assert [header.HasField("shared_body") for header, _ in frames.sent] == [False, False]

    with_memory(test)


def test_a_result_that_is_too_large_is_not_placed() -> None:
    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        frames = Frames()
        channel = BatchChannel(frames, limits(most=8_000))  # type: ignore[arg-type]
        channel.share(memory)
        with pytest.raises(BatchTooLargeError, match="max_frame_bytes=8000"):
            channel.send_batch(result(), batch_of(1_000))
        assert frames.sent == []
        assert memory.take(SIZE) == 0

    with_memory(test)


def test_a_release_of_what_was_not_lent_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    async def test(memory: SharedMemory, operator: Operator, released: List[int]) -> None:
        channel = BatchChannel(Frames(), limits())  # type: ignore[arg-type]
        channel.share(memory)
        channel.released(4096)
        assert "4096" in caplog.text

    with_memory(test)
