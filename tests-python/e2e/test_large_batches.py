"""Batches that are too large for the socket travel in memory that operator and worker share."""

import asyncio
import os
import re
import signal as signals
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Time, Types
from pyflink.java_gateway import get_gateway
from pyflink_async_batch import AsyncBatchFunction

TIMEOUT = Time.seconds(60)
BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
ROW_BYTES = 40_000
OFF = 2**40


class Image(AsyncBatchFunction[int, bytes]):
    async def async_invoke_batch(self, inputs: list[int]) -> list[bytes]:
        return [bytes([value % 256]) * (ROW_BYTES + value) for value in inputs]


class Describe(AsyncBatchFunction[bytes, str]):
    """Says what the bytes are, and how much memory this process shares."""

    async def async_invoke_batch(self, inputs: list[bytes]) -> list[str]:
        shared = len(shared_mappings(os.getpid()))
        return [f"{image[0]} {len(image)} {len(set(image))} {shared}" for image in inputs]


def shared_mappings(pid: int) -> list[str]:
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [line for line in lines if "memfd:async-batch" in line]


def jvm() -> int:
    return int(get_gateway().jvm.java.lang.ProcessHandle.current().pid())


@pytest.mark.process_mode
@pytest.mark.parametrize(
    ("threshold", "mappings"), [(1, 2), (10_000, 2), (OFF, 0)], ids=["all", "large", "none"]
)
def test_large_elements_arrive_as_they_were(
    wait_batch: Any, numbers: Any, collect: Any, threshold: int, mappings: int
) -> None:
    options = {"capacity": 3, "shared_memory_threshold": threshold}
    images = wait_batch(numbers(300), Image(), TIMEOUT, 16, output_type=BYTES, **options)
    stream = wait_batch(images, Describe(), TIMEOUT, 16, output_type=Types.STRING(), **options)
    results = [tuple(map(int, result.split())) for result in collect(stream)]
    assert sorted(results) == sorted((n % 256, ROW_BYTES + n, 1, mappings) for n in range(300))
    assert shared_mappings(jvm()) == []


@pytest.mark.process_mode
def test_more_than_fits_into_shared_memory_takes_the_socket(
    wait_batch: Any, numbers: Any, collect: Any
) -> None:
    class Keep(AsyncBatchFunction[int, int]):
        async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
            await asyncio.sleep(0.01)
            return inputs

    stream = wait_batch(
        numbers(2_000),
        Keep(),
        TIMEOUT,
        200,
        output_type=Types.LONG(),
        capacity=100,
        max_batch_bytes=2_000,
        max_bytes_in_flight=4_096,
        shared_memory_threshold=1,
    )
    assert sorted(collect(stream)) == list(range(2_000))


def test_bytes_in_flight_are_bounded(wait_batch: Any, numbers: Any, collect: Any) -> None:
    class CallsAtATime(AsyncBatchFunction[bytes, int]):
        def open(self, runtime_context: Any) -> None:
            self.running = 0

        async def async_invoke_batch(self, inputs: list[bytes]) -> list[int]:
            self.running += 1
            running = self.running
            await asyncio.sleep(0.02)
            self.running -= 1
            return [running] * len(inputs)

    images = wait_batch(numbers(60), Image(), TIMEOUT, 10, output_type=BYTES)
    stream = wait_batch(
        images,
        CallsAtATime(),
        TIMEOUT,
        1,
        output_type=Types.INT(),
        max_batch_bytes=60_000,
        max_bytes_in_flight=130_000,
    )
    # Three images weigh at least 120,000 bytes, four more than 160,000.
    assert max(collect(stream)) <= 3


@pytest.mark.process_mode
def test_a_killed_worker_leaves_no_shared_memory(
    wait_batch: Any, numbers: Any, failure_of: Any
) -> None:
    class DiesLate(AsyncBatchFunction[bytes, int]):
        async def async_invoke_batch(self, inputs: list[bytes]) -> list[int]:
            if len(inputs[-1]) > ROW_BYTES + 200:
                os.kill(os.getpid(), signals.SIGKILL)
            return [len(image) for image in inputs]

    before = set(os.listdir("/dev/shm"))
    images = wait_batch(numbers(300), Image(), TIMEOUT, 16, output_type=BYTES)
    text = failure_of(
        wait_batch(images, DiesLate(), TIMEOUT, 16, output_type=Types.INT(), capacity=4)
    )
    assert re.search(r"killed by signal 9", text)
    assert shared_mappings(jvm()) == []
    assert set(os.listdir("/dev/shm")) == before


@pytest.mark.process_mode
def test_a_cancelled_job_leaves_no_shared_memory(
    wait_batch: Any, numbers: Any, environment: Any, signal: Any
) -> None:
    class Hangs(AsyncBatchFunction[bytes, int]):
        def __init__(self, path: Any) -> None:
            self.path = path

        async def async_invoke_batch(self, inputs: list[bytes]) -> list[int]:
            signal_to(self.path)
            await asyncio.Event().wait()
            return []

    images = wait_batch(numbers(300), Image(), TIMEOUT, 16, output_type=BYTES)
    wait_batch(
        images, Hangs(signal.path), Time.hours(1), 16, output_type=Types.INT(), capacity=4
    ).print()
    job = environment.execute_async()
    signal.wait()
    assert shared_mappings(jvm()) != []
    job.cancel().result()
    with pytest.raises(Py4JJavaError, match="cancel"):
        job.get_job_execution_result().result()
    assert shared_mappings(jvm()) == []


def signal_to(path: Any) -> None:
    with Path(path).open("a") as pipe:
        pipe.write("invoked\n")
