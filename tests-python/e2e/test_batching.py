"""When batches close, how many are in flight, and in which order results leave."""

import asyncio
import random
from typing import Any, Callable

import pytest
from pyflink.common import Duration, Time, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink_async_batch import AsyncBatchFunction

TIMEOUT = Time.seconds(60)


class AddOne(AsyncBatchFunction[int, int]):
    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        return [value + 1 for value in inputs]


class SizeOfItsBatch(AsyncBatchFunction[Any, int]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[int]:
        return [len(inputs)] * len(inputs)


def test_every_element_has_one_result(
    wait_batch: Any, ordering: str, numbers: Any, collect: Any
) -> None:
    stream = wait_batch(numbers(1_000), AddOne(), TIMEOUT, 32, output_type=Types.LONG())
    results = collect(stream)
    expected = list(range(1, 1_001))
    assert sorted(results) == expected
    if ordering == "ordered":
        assert results == expected


def test_results_are_pickled_when_no_type_is_given(
    wait_batch: Any, numbers: Any, collect: Any
) -> None:
    class AnyValue(AsyncBatchFunction[int, Any]):
        async def async_invoke_batch(self, inputs: list[int]) -> list[Any]:
            return [{"value": value, "tags": {"a", "b"}} for value in inputs]

    results = collect(wait_batch(numbers(3), AnyValue(), TIMEOUT, 2))
    assert sorted(result["value"] for result in results) == [0, 1, 2]
    assert all(result["tags"] == {"a", "b"} for result in results)


def test_a_batch_closes_at_its_size_and_at_the_end_of_the_input(
    wait_batch: Any, numbers: Any, collect: Any
) -> None:
    stream = wait_batch(numbers(10), SizeOfItsBatch(), TIMEOUT, 4, output_type=Types.INT())
    assert sorted(collect(stream)) == [2] * 2 + [4] * 8


def test_the_end_of_the_input_flushes_the_only_batch(
    wait_batch: Any, numbers: Any, collect: Any
) -> None:
    stream = wait_batch(numbers(3), SizeOfItsBatch(), TIMEOUT, 100, output_type=Types.INT())
    assert collect(stream) == [3, 3, 3]


def test_an_empty_input_has_no_results(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any
) -> None:
    nothing = environment.from_collection([1, 2], Types.INT()).filter(lambda value: False)
    assert collect(wait_batch(nothing, AddOne(), TIMEOUT, 4, output_type=Types.INT())) == []


@pytest.mark.parametrize("batch_timeout", [Time.seconds(1), Duration.of_seconds(1)])
def test_a_batch_closes_after_its_timeout_while_the_source_stays_open(
    wait_batch: Any, open_source: Any, batch_timeout: Any
) -> None:
    open_source.write("a", "b", "c")
    stream = wait_batch(
        open_source.stream(),
        SizeOfItsBatch(),
        TIMEOUT,
        1_000,
        batch_timeout,
        output_type=Types.INT(),
    )
    with stream.execute_and_collect() as results:
        assert [next(results) for _ in range(3)] == [3, 3, 3]
        # The timer works for later batches too.
        open_source.write("d")
        assert next(results) == 1


def test_a_batch_without_a_timeout_waits_for_more_elements(
    wait_batch: Any, open_source: Any, signal: Any
) -> None:
    path = signal.path

    def announce(line: str) -> str:
        with open(path, "a") as pipe:
            pipe.write(f"{line}\n")
        return line

    open_source.write("a", "b", "c")
    announced = open_source.stream().map(announce, output_type=Types.STRING())
    stream = wait_batch(announced, SizeOfItsBatch(), TIMEOUT, 4, output_type=Types.INT())
    with stream.execute_and_collect() as results:
        assert [signal.wait() for _ in range(3)] == ["a", "b", "c"]
        open_source.write("d")
        assert [next(results) for _ in range(4)] == [4, 4, 4, 4]


def test_a_batch_closes_before_it_grows_beyond_its_bytes(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any
) -> None:
    rows = environment.from_collection(["x" * 1_000] * 50, Types.STRING())
    stream = wait_batch(
        rows, SizeOfItsBatch(), TIMEOUT, 50, output_type=Types.INT(), max_batch_bytes=3_500
    )
    sizes = collect(stream)
    assert len(sizes) == 50
    assert max(sizes) in (2, 3)


class SecondBatchFirst(AsyncBatchFunction[int, int]):
    """The first batch ends only after the second one, so both must be in flight."""

    def open(self, runtime_context: Any) -> None:
        self.second_is_done = asyncio.Event()

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        if inputs[0] == 0:
            await self.second_is_done.wait()
            # The second batch's results are on their way before this one's.
            await asyncio.sleep(0.2)
        else:
            self.second_is_done.set()
        return inputs


def test_results_leave_in_the_order_that_was_asked_for(
    wait_batch: Any, ordering: str, numbers: Any, collect: Any
) -> None:
    stream = wait_batch(numbers(8), SecondBatchFirst(), TIMEOUT, 4, output_type=Types.LONG())
    expected = {
        "ordered": [0, 1, 2, 3, 4, 5, 6, 7],
        "unordered": [4, 5, 6, 7, 0, 1, 2, 3],
    }
    assert collect(stream) == expected[ordering]


class MostInFlight(AsyncBatchFunction[int, int]):
    """Gives for every element how many batches have been in flight at most until then."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.in_flight = 0
        self.most = 0

    def open(self, runtime_context: Any) -> None:
        self.reached = asyncio.Event()

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        if self.most >= self.capacity:
            self.reached.set()
        await self.reached.wait()
        # Long enough for another batch to come, if one may.
        await asyncio.sleep(0.01)
        self.in_flight -= 1
        return [self.most] * len(inputs)


def test_capacity_counts_batches(wait_batch: Any, numbers: Any, collect: Any) -> None:
    stream = wait_batch(
        numbers(200), MostInFlight(3), TIMEOUT, 5, capacity=3, output_type=Types.INT()
    )
    assert set(collect(stream)) == {3}


class RandomLatency(AsyncBatchFunction[int, int]):
    def open(self, runtime_context: Any) -> None:
        self.random = random.Random(runtime_context.get_index_of_this_subtask())

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        await asyncio.sleep(self.random.choice([0, 0, 0.001, 0.005, 0.02]))
        return [-value for value in inputs]


class Identity(AsyncBatchFunction[Any, Any]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return inputs


def test_batches_of_megabytes_pass_both_ways(wait_batch: Any, numbers: Any, collect: Any) -> None:
    texts = numbers(20).map(lambda value: str(value) + "x" * 1_000_000, output_type=Types.STRING())
    stream = wait_batch(texts, Identity(), TIMEOUT, 8, capacity=2, output_type=Types.STRING())
    results = sorted(collect(stream), key=lambda text: int(text.split("x")[0]))
    assert results == [str(value) + "x" * 1_000_000 for value in range(20)]


def test_no_element_is_lost_or_repeated(
    wait_batch: Any, ordering: str, numbers: Any, collect: Any
) -> None:
    stream = wait_batch(
        numbers(50_000), RandomLatency(), TIMEOUT, 37, capacity=16, output_type=Types.LONG()
    )
    results = [-value for value in collect(stream)]
    expected = list(range(50_000))
    if ordering == "ordered":
        assert results == expected
    else:
        assert results != expected, "nothing has overtaken anything"
        assert sorted(results) == expected


@pytest.mark.own_worker
def test_parallel_subtasks_share_the_elements(
    wait_batch: Any,
    environment: StreamExecutionEnvironment,
    numbers: Callable[[int], DataStream],
    collect: Any,
) -> None:
    class Subtask(AsyncBatchFunction[int, Any]):
        def open(self, runtime_context: Any) -> None:
            self.index = runtime_context.get_index_of_this_subtask()

        async def async_invoke_batch(self, inputs: list[int]) -> list[Any]:
            return [(value, self.index) for value in inputs]

    environment.set_parallelism(2)
    results = collect(wait_batch(numbers(2_000).rebalance(), Subtask(), TIMEOUT, 16))
    assert sorted(value for value, _ in results) == list(range(2_000))
    assert {index for _, index in results} == {0, 1}


def test_operators_are_chained(wait_batch: Any, numbers: Any, collect: Any) -> None:
    once = wait_batch(numbers(100), AddOne(), TIMEOUT, 7, output_type=Types.LONG())
    twice = wait_batch(once, AddOne(), TIMEOUT, 11, output_type=Types.LONG())
    mapped = twice.map(lambda value: value * 10, output_type=Types.LONG())
    assert sorted(collect(mapped)) == [(value + 2) * 10 for value in range(100)]


def test_a_keyed_stream_gives_its_values(wait_batch: Any, numbers: Any, collect: Any) -> None:
    keyed = numbers(100).key_by(lambda value: value % 3)
    stream = wait_batch(keyed, AddOne(), TIMEOUT, 7, output_type=Types.LONG())
    assert sorted(collect(stream)) == list(range(1, 101))
