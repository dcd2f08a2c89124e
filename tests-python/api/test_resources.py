"""What can be declared of GPUs, what the refusals say, and what the Java side is told."""

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyflink.common import Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import (
    AsyncBatchFunction,
    AsyncDataStream,
    GpuResources,
    InvalidOptionError,
    InvalidOptionTypeError,
    UnsupportedEnvironmentError,
)
from pyflink_async_batch._graph import bundled_jar
from pyflink_async_batch._graph.execution_environment import environment_configuration
from pyflink_async_batch._graph.gpu_resources import j_gpu_resources
from pyflink_async_batch.options import AsyncBatchOptions
from pyflink_async_batch.resources import hundredths, memory_bytes

MEMORIES = ["memory", "task_heap_memory", "task_off_heap_memory", "managed_memory"]


class Identity(AsyncBatchFunction[int, int]):
    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        return inputs


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [(0.01, 1), (0.29, 29), (0.5, 50), (1, 100), (1.0, 100), (8, 800), (np.float32(0.5), 50)],
)
def test_parts_of_one_gpu_and_whole_ones_are_accepted(gpus: Any, expected: int) -> None:
    assert hundredths(GpuResources(gpus).gpus) == expected


@given(st.integers(1, 100))
def test_every_hundredth_is_exact(number: int) -> None:
    assert hundredths(number / 100) == number


@pytest.mark.parametrize(
    "gpus", [0, -1, -0.5, 0.001, 0.333, 1.5, 2.01, float("nan"), float("inf"), -float("inf")]
)
def test_no_other_number_of_gpus_is(gpus: Any) -> None:
    with pytest.raises(InvalidOptionError, match="^gpus must be a number of hundredths of one GPU"):
        GpuResources(gpus)


def test_there_is_a_largest_number_of_gpus() -> None:
    assert hundredths(1_000) == 100_000
    with pytest.raises(InvalidOptionError, match="^gpus must be at most 1000, got 1001"):
        GpuResources(1_001)


@pytest.mark.parametrize("gpus", [True, np.bool_(True), "0.5", None, [1]])
def test_gpus_are_a_number(gpus: Any) -> None:
    with pytest.raises(InvalidOptionTypeError, match="^gpus must be a number of hundredths"):
        GpuResources(gpus)


@pytest.mark.parametrize("option", MEMORIES)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1),
        (np.int64(7), 7),
        ("7", 7),
        ("1b", 1),
        (" 3kb ", 3 << 10),
        ("512m", 512 << 20),
        ("8g", 8 << 30),
        ("8 GB", 8 << 30),
        ("1tebibytes", 1 << 40),
    ],
)
def test_memory_is_bytes_or_text(option: str, value: Any, expected: int) -> None:
    assert memory_bytes(option, getattr(GpuResources(1, **{option: value}), option)) == expected


@pytest.mark.parametrize("option", MEMORIES)
@pytest.mark.parametrize("value", ["8x", "", "g", "1.5g", "-1", "8g8", -1, 2**63, "8388608t"])
def test_other_memory_is_refused(option: str, value: Any) -> None:
    with pytest.raises(InvalidOptionError, match="^%s must be .*'512m' or '8g'" % option):
        GpuResources(1, **{option: value})


@pytest.mark.parametrize("option", MEMORIES)
@pytest.mark.parametrize("value", [True, 1.5, [1]])
def test_memory_of_another_type_is_refused(option: str, value: Any) -> None:
    with pytest.raises(InvalidOptionTypeError, match="^%s must be .*an int of bytes" % option):
        GpuResources(1, **{option: value})


def test_only_some_memory_may_be_none() -> None:
    assert GpuResources(1, task_off_heap_memory=0, managed_memory="0").memory is None
    for option in ("memory", "task_heap_memory"):
        with pytest.raises(InvalidOptionError, match="%s must be .* from 1 to" % option):
            GpuResources(1, **{option: 0})  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [0, -1, 1e-9, float("nan"), float("inf")])
def test_cpu_cores_are_positive(value: float) -> None:
    with pytest.raises(InvalidOptionError, match="^cpu_cores must be a positive number, got"):
        GpuResources(1, cpu_cores=value)


def test_resources_are_what_they_are_declared_with() -> None:
    resources = GpuResources(gpus=0.5, memory="8g")
    assert AsyncBatchOptions.of(timeout=Time.seconds(1), batch_size=1, resources=resources) == (
        AsyncBatchOptions.of(
            timeout=Time.seconds(1),
            batch_size=1,
            resources=pickle.loads(pickle.dumps(resources)),
        )
    )
    with pytest.raises(InvalidOptionTypeError, match=r"^resources must be None or a .*GpuRes"):
        AsyncBatchOptions.of(timeout=Time.seconds(1), batch_size=1, resources=0.5)  # type: ignore[arg-type]


@pytest.fixture
def with_jar(environment: StreamExecutionEnvironment) -> StreamExecutionEnvironment:
    """An environment whose JVM knows the Java side."""
    bundled_jar.add_bundled_jar(
        environment_configuration(environment._j_stream_execution_environment)
    )
    return environment


def test_the_java_side_is_told_all_of_it(with_jar: StreamExecutionEnvironment) -> None:
    group = j_gpu_resources(
        GpuResources(
            0.29,
            memory="8g",
            cpu_cores=2.5,
            task_heap_memory="64m",
            task_off_heap_memory="32m",
            managed_memory=4096,
        )
    )
    assert group.getHundredths() == 29
    assert group.getMemory().get().getBytes() == 8 << 30
    declared = group.slotSharingGroup("a group")
    assert declared.getName() == "a group"
    assert dict(declared.getExternalResources()) == {"gpu": 0.29}
    assert declared.getCpuCores().get() == 2.5
    assert declared.getTaskHeapMemory().get().getBytes() == 64 << 20
    assert declared.getTaskOffHeapMemory().get().getBytes() == 32 << 20
    assert declared.getManagedMemory().get().getBytes() == 4096


def test_only_the_operator_has_them(with_jar: StreamExecutionEnvironment) -> None:
    numbers = with_jar.from_collection([1], Types.INT())
    arguments: dict[str, Any] = {"timeout": Time.seconds(1), "batch_size": 1}
    arguments["resources"] = GpuResources(0.5)
    arguments["output_type"] = Types.INT()
    first = AsyncDataStream.ordered_wait_batch(numbers, Identity(), **arguments)
    second = AsyncDataStream.unordered_wait_batch(first, Identity(), **arguments)
    groups = [
        stream._j_data_stream.getTransformation().getSlotSharingGroup()
        for stream in (numbers, first, second)
    ]
    assert [group.isPresent() for group in groups] == [False, True, True]
    assert groups[1].get().getName() != groups[2].get().getName()


def test_a_worker_process_is_needed(environment: StreamExecutionEnvironment) -> None:
    environment.get_config()
    configuration = environment_configuration(environment._j_stream_execution_environment)
    configuration.setString("python.execution-mode", "thread")
    numbers = environment.from_collection([1], Types.INT())
    with pytest.raises(UnsupportedEnvironmentError, match="where resources is given, got 'thread'"):
        AsyncDataStream.unordered_wait_batch(
            numbers, Identity(), Time.seconds(1), 1, resources=GpuResources(1)
        )
