"""
What a batch's rows become does not depend on how they were cut into batches, nor on which other
rows made a call fail; and that is found out with few calls.

The worker is the real one, from the bytes of a batch to those of its answers. The operator is the
few lines below that halve what has failed, as ``Batch`` and ``BatchDispatcher`` do.
"""

import asyncio
import math
from typing import Any, AsyncIterator, Dict, List, Optional, Tuple

import pyarrow as pa
import pytest
from codec_types import schema_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pyflink.common import Types
from pyflink_async_batch import AsyncBatchFunction, BatchTooLarge, RowFailure
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.batch_decoder import BatchDecoder
from pyflink_async_batch._worker.function_worker import FunctionWorker
from pyflink_async_batch._worker.result_encoder import ResultEncoder

Failure = async_batch_pb2.Failure

SCHEMA = schema_of(Types.LONG())

# Numbers that a function has no result for, each in its own way.
RAISES = range(1000, 2000)
MISFITS = range(2000, 3000)
GIVES_UP = range(3000, 4000)

values = st.one_of(
    st.integers(0, 999),
    st.integers(0, 999),
    st.integers(0, 999),
    st.sampled_from([1000, 2000, 3000, 3001]),
)


class Model:
    """What both functions do with a value. Every call is counted."""

    calls = 0

    def require_small(self, inputs: List[int], most: Optional[int]) -> None:
        type(self).calls += 1
        if most is not None and len(inputs) > most:
            raise BatchTooLarge(f"{len(inputs)} rows")

    def result(self, value: int) -> Any:
        if value in RAISES:
            raise ValueError(f"no result for {value}")
        if value in MISFITS:
            return "no number"
        return RowFailure(f"gave up {value}") if value in GIVES_UP else 10 * value


class Returning(Model, AsyncBatchFunction[int, int]):
    def __init__(self, most: Optional[int]) -> None:
        self.most = most

    async def async_invoke_batch(self, inputs: List[int]) -> List[Any]:
        self.require_small(inputs, self.most)
        return [self.result(value) for value in inputs]


class Yielding(Model, AsyncBatchFunction[int, int]):
    """Yields every other row early."""

    def __init__(self, most: Optional[int]) -> None:
        self.most = most

    async def async_invoke_batch(  # type: ignore[override]
        self, inputs: List[int]
    ) -> AsyncIterator[Tuple[int, Any]]:
        self.require_small(inputs, self.most)
        for index in [*range(1, len(inputs), 2), *range(0, len(inputs), 2)]:
            if index % 3 == 0:
                await asyncio.sleep(0)
            yield index, self.result(inputs[index])


class Operator:
    """Takes the answers, and calls for the halves of what has failed."""

    def __init__(self, function: Any) -> None:
        import cloudpickle

        encoded = SCHEMA.serialize().to_pybytes()
        description = async_batch_pb2.UserDefinedAsyncBatchFunction(
            payload=cloudpickle.dumps(function),
            function_name="Function",
            input_schema=encoded,
            output_schema=encoded,
        )
        self._decoder = BatchDecoder(SCHEMA)
        self._encoder = ResultEncoder(SCHEMA)
        self._worker = FunctionWorker(description, self, self._decoder, None)
        self._ended: Dict[int, Any] = {}
        self._told: Dict[int, Dict[int, Any]] = {}
        self._ready: asyncio.Future[None]

    def send(self, header: Any) -> None:
        self._answered(header, [])

    def send_batch(self, header: Any, batch: pa.RecordBatch) -> None:
        body = batch.serialize()
        self._answered(header, self._decoder.rows(self._decoder.read(body, header.row_count)))

    def _answered(self, header: Any, results: List[int]) -> None:
        if header.kind == async_batch_pb2.READY:
            self._ready.set_result(None)
            return
        call = self._ended.get(header.batch_id)
        assert call is not None, header
        rows, ended = call
        told = self._told[header.batch_id]
        for failure in header.row_failures:
            assert failure.index not in told
            told[failure.index] = failure.failure.message
        indexes = list(header.rows)
        if header.kind == async_batch_pb2.RESULT:
            indexes = [index for index in range(rows) if index not in told]
        assert len(indexes) == len(results)
        for index, result in zip(indexes, results):
            assert index not in told
            told[index] = result
        if header.kind != async_batch_pb2.PART and not ended.done():
            ended.set_result(header.failure if header.kind == async_batch_pb2.FAILURE else None)
        elif len(told) == rows and not ended.done():
            ended.set_result(None)

    async def run(self, batches: List[List[int]]) -> List[Any]:
        loop = asyncio.get_running_loop()
        self._ready = loop.create_future()
        serving = loop.create_task(self._worker.serve(lambda: None))
        await self._ready
        outcomes: List[Any] = []
        for batch in batches:
            outcomes.extend(await self._outcomes(batch))
        self._worker.end(in_order=True)
        await serving
        return outcomes

    async def _outcomes(self, batch: List[int]) -> List[Any]:
        number = len(self._ended) + 1
        ended: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._ended[number] = (len(batch), ended)
        told = self._told[number] = {}
        header = async_batch_pb2.FrameHeader(
            kind=async_batch_pb2.INVOKE, batch_id=number, attempt=1, row_count=len(batch)
        )
        body = self._encoder.encode(batch).serialize()
        self._worker.on_request(header, lambda: self._decoder.read(body, len(batch)))
        failure = await ended
        left = [index for index in range(len(batch)) if index not in told]
        if failure is None:
            assert not left
        elif len(left) == 1:
            told[left[0]] = failure.message
        else:
            middle = len(left) // 2
            for half in (left[:middle], left[middle:]):
                outcomes = await self._outcomes([batch[index] for index in half])
                told.update(zip(half, outcomes))
        return [told[index] for index in range(len(batch))]


def expected(value: int) -> Any:
    if value in RAISES:
        return f"no result for {value}"
    if value in MISFITS:
        return "Result 0 does not fit output_type: expected LONG, got str 'no number'."
    return f"gave up {value}" if value in GIVES_UP else 10 * value


def cut(rows: List[int], sizes: List[int]) -> List[List[int]]:
    batches = []
    rest = list(rows)
    for size in sizes:
        batches.append(rest[:size])
        rest = rest[size:]
    return [batch for batch in [*batches, rest] if batch]


@pytest.mark.parametrize("function", [Returning, Yielding])
@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(values, min_size=1, max_size=40),
    sizes=st.lists(st.integers(1, 16), max_size=4),
    most=st.one_of(st.none(), st.integers(1, 8)),
)
def test_results_do_not_depend_on_how_rows_were_batched(
    function: Any, rows: List[int], sizes: List[int], most: Optional[int]
) -> None:
    outcomes = asyncio.run(Operator(function(most)).run(cut(rows, sizes)))
    assert outcomes == [expected(value) for value in rows]


@settings(max_examples=60, deadline=None)
@given(count=st.integers(1, 300), bad=st.sets(st.integers(0, 299), max_size=6))
def test_few_bad_rows_cost_few_calls(count: int, bad: Any) -> None:
    among = {index for index in bad if index < count}
    rows = [1000 if index in among else index for index in range(count)]
    function = Returning(None)
    Returning.calls = 0
    outcomes = asyncio.run(Operator(function).run([rows]))
    assert outcomes == [expected(value) for value in rows]
    assert counted() <= 1 + 2 * len(among) * math.ceil(math.log2(count))


def counted() -> int:
    """Calls in this process: the function's class is pickled by reference."""
    return Returning.calls
