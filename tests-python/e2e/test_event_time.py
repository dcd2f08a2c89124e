"""Timestamps and watermarks pass the operator in their places."""

import asyncio
import random
from collections.abc import Iterable
from typing import Any

import pytest
from pyflink.common import Time, Types, WatermarkStrategy
from pyflink.common.watermark_strategy import TimestampAssigner
from pyflink.datastream import (
    DataStream,
    ProcessFunction,
    StreamExecutionEnvironment,
    TimeDomain,
)
from pyflink.datastream.functions import ProcessWindowFunction
from pyflink.datastream.window import TumblingEventTimeWindows
from pyflink_async_batch import AsyncBatchFunction

ROWS = 5_000
START = 1_000_000
TIMEOUT = Time.seconds(60)


class ValueIsTime(TimestampAssigner):  # type: ignore[misc]
    def extract_timestamp(self, value: int, record_timestamp: int) -> int:
        return START + value


class RandomLatency(AsyncBatchFunction[int, int]):
    def open(self, runtime_context: Any) -> None:
        self.random = random.Random(7)

    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        await asyncio.sleep(self.random.choice([0, 0.001, 0.01]))
        return [value * 10 for value in inputs]


class Observe(ProcessFunction):  # type: ignore[misc]
    """Gives each element with its timestamp and the watermark before which it came."""

    def process_element(self, value: int, ctx: ProcessFunction.Context) -> Iterable[Any]:
        yield value, ctx.timestamp(), ctx.timer_service().current_watermark()


@pytest.fixture
def timed(environment: StreamExecutionEnvironment, numbers: Any) -> DataStream:
    """Numbers whose timestamps grow by one, with a watermark every few of them."""
    environment.get_config().set_auto_watermark_interval(1)
    # Between small bundles of the timestamp assigner, Flink finds the time to send watermarks.
    from pyflink.common import Configuration

    configuration = Configuration()
    configuration.set_string("python.fn-execution.bundle.size", "20")
    environment.configure(configuration)
    strategy = WatermarkStrategy.for_monotonous_timestamps().with_timestamp_assigner(ValueIsTime())
    return numbers(ROWS).assign_timestamps_and_watermarks(strategy)


def test_nothing_is_late_and_timestamps_are_kept(
    wait_batch: Any, timed: DataStream, collect: Any
) -> None:
    results = wait_batch(
        timed,
        RandomLatency(),
        TIMEOUT,
        13,
        Time.milliseconds(20),
        8,
        output_type=Types.LONG(),
    )
    observed = collect(results.process(Observe()))
    assert sorted(value for value, _, _ in observed) == [value * 10 for value in range(ROWS)]
    assert [row for row in observed if row[1] != START + row[0] // 10] == []
    assert [row for row in observed if row[1] <= row[2]] == []
    # Otherwise there was nothing to be late for.
    assert len({watermark for _, _, watermark in observed}) > 10


class Count(ProcessWindowFunction):  # type: ignore[misc]
    def process(
        self, key: int, context: ProcessWindowFunction.Context, elements: Iterable[int]
    ) -> Iterable[Any]:
        window = context.window()
        yield window.start, len(list(elements)), context.current_watermark() >= window.end - 1


def test_event_time_windows_are_complete(wait_batch: Any, timed: DataStream, collect: Any) -> None:
    results = wait_batch(
        timed,
        RandomLatency(),
        TIMEOUT,
        13,
        Time.milliseconds(20),
        8,
        output_type=Types.LONG(),
    )
    windows = collect(
        results.key_by(lambda value: 0, key_type=Types.INT())
        .window(TumblingEventTimeWindows.of(Time.milliseconds(100)))
        .process(Count())
    )
    # A window drops what comes after it has fired.
    assert sorted(windows) == [(START + i * 100, 100, True) for i in range(ROWS // 100)]


class FirstAndSize(AsyncBatchFunction[int, Any]):
    async def async_invoke_batch(self, inputs: list[int]) -> list[Any]:
        return [(inputs[0], len(inputs))] * len(inputs)


def test_batches_close_by_event_time(wait_batch: Any, timed: DataStream, collect: Any) -> None:
    results = wait_batch(
        timed,
        FirstAndSize(),
        TIMEOUT,
        ROWS,
        Time.milliseconds(100),
        batch_time_domain=TimeDomain.EVENT_TIME,
    )
    sizes = dict(collect(results))
    assert sum(sizes.values()) == ROWS
    # A watermark is one below the last timestamp, so 102 rows came before the one that closes.
    closed_by_a_watermark = [size for first, size in sizes.items() if first + size < ROWS]
    assert closed_by_a_watermark, "nothing but the end of the input closed a batch"
    assert min(closed_by_a_watermark) >= 102
