"""Functions on Arrow's columns, in real jobs."""

import asyncio
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyflink.common import Row, RowKind, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import (
    ArrowAsyncBatchFunction,
    AsyncDataStream,
    ExponentialBackoffRetryStrategy,
)
from pyflink_async_batch.tensors import column_of, tensor_batch

TIMEOUT = Time.seconds(60)
BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
FLOATS = Types.PRIMITIVE_ARRAY(Types.FLOAT())
PAIR = Types.ROW_NAMED(["id", "name"], [Types.LONG(), Types.STRING()])


class Returning(ArrowAsyncBatchFunction):
    def __init__(self, make_results: Any) -> None:
        self.make_results = make_results

    async def async_invoke_batch(self, inputs: Any) -> Any:
        return self.make_results(inputs)


def test_numbers_are_an_array(wait_batch: Any, numbers: Any, collect: Any) -> None:
    doubled = Returning(lambda column: pc.multiply(column, 2))
    results = collect(wait_batch(numbers(1000), doubled, TIMEOUT, 64, output_type=Types.LONG()))
    assert sorted(results) == [2 * n for n in range(1000)]


def test_rows_are_a_record_batch(
    wait_batch: Any, ordering: str, environment: StreamExecutionEnvironment, collect: Any
) -> None:
    rows = [Row(i, None if i % 3 == 0 else f"name {i}") for i in range(100)]
    stream = environment.from_collection(rows, PAIR)
    identity = Returning(lambda batch: batch)
    results = collect(wait_batch(stream, identity, TIMEOUT, 7, output_type=PAIR))
    if ordering == "unordered":
        results.sort(key=lambda row: row.id)
    assert [(row.id, row.name) for row in results] == [tuple(row) for row in rows]


def test_columns_of_a_batch_become_columns_of_other_types(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any
) -> None:
    def measured(batch: Any) -> Any:
        vectors = np.stack([batch["id"].to_numpy()] * 3, axis=1).astype(np.float32)
        return pa.record_batch(
            {"vector": column_of(vectors), "length": pc.utf8_length(batch["name"])}
        )

    stream = environment.from_collection([Row(i, "x" * i) for i in range(20)], PAIR)
    output_type = Types.ROW_NAMED(["length", "vector"], [Types.INT(), FLOATS])
    results = collect(wait_batch(stream, Returning(measured), TIMEOUT, 8, output_type=output_type))
    assert sorted((row.length, row.vector) for row in results) == [
        (i, [float(i)] * 3) for i in range(20)
    ]


def test_image_tensors_become_embeddings(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any
) -> None:
    class Embed(ArrowAsyncBatchFunction):
        def open(self, runtime_context: Any) -> None:
            self.weights = np.arange(12 * 4, dtype=np.float32).reshape(12, 4)

        async def async_invoke_batch(self, inputs: Any) -> Any:
            images = tensor_batch(inputs, (2, 2, 3))
            return await asyncio.to_thread(self.embed, images)

        def embed(self, images: Any) -> Any:
            return images.reshape(len(images), -1).astype(np.float32) @ self.weights

    images = np.random.default_rng(7).integers(0, 256, (50, 12), np.uint8)
    source = environment.from_collection([image.tobytes() for image in images])
    stream = source.map(lambda image: image, output_type=BYTES)
    results = collect(wait_batch(stream, Embed(), TIMEOUT, 8, output_type=FLOATS))
    expected = images.astype(np.float32) @ np.arange(48, dtype=np.float32).reshape(12, 4)
    assert sorted(results) == sorted(expected.tolist())


def test_columns_that_are_kept_stay_as_they_are(
    wait_batch: Any, numbers: Any, collect: Any
) -> None:
    class Remembering(ArrowAsyncBatchFunction):
        def open(self, runtime_context: Any) -> None:
            self.kept: Any = []

        async def async_invoke_batch(self, inputs: Any) -> Any:
            self.kept.append((inputs, inputs.to_pylist()))
            assert all(column.to_pylist() == values for column, values in self.kept)
            return inputs

    stream = wait_batch(numbers(5000), Remembering(), TIMEOUT, 50, output_type=Types.LONG())
    assert sorted(collect(stream)) == list(range(5000))


def test_a_timeout_is_answered_with_columns(wait_batch: Any, numbers: Any, collect: Any) -> None:
    class Late(ArrowAsyncBatchFunction):
        async def async_invoke_batch(self, inputs: Any) -> Any:
            await asyncio.Event().wait()

        def timeout_batch(self, inputs: Any) -> Any:
            return pc.negate(inputs)

    stream = wait_batch(numbers(10), Late(), Time.milliseconds(200), 5, output_type=Types.LONG())
    assert sorted(collect(stream)) == [-n for n in reversed(range(10))]


def test_a_retry_predicate_sees_the_columns(ordering: str, numbers: Any, collect: Any) -> None:
    class SecondTime(ArrowAsyncBatchFunction):
        def open(self, runtime_context: Any) -> None:
            self.calls = 0

        async def async_invoke_batch(self, inputs: Any) -> Any:
            self.calls += 1
            return pa.nulls(len(inputs), pa.int64()) if self.calls == 1 else inputs

    with_retry = getattr(AsyncDataStream, f"{ordering}_wait_batch_with_retry")
    stream = with_retry(
        numbers(4),
        SecondTime(),
        TIMEOUT,
        4,
        ExponentialBackoffRetryStrategy(
            1,
            Time.milliseconds(1),
            result_predicate=lambda column: column.null_count > 0,
        ),
        output_type=Types.LONG(),
    )
    assert sorted(collect(stream)) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("make_results", "output_type", "said"),
    [
        (lambda column: None, Types.LONG(), "cannot be none: it should be a pyarrow.Array"),
        (lambda column: column.to_pylist(), Types.LONG(), "Make an array of it with"),
        (lambda column: column.slice(1), Types.LONG(), "each of the 4 inputs, but has 3"),
        (
            lambda column: pc.cast(column, "double"),
            Types.LONG(),
            "The results do not fit output_type: expected LONG (an integer type whose values fit), "
            "got a column of double.",
        ),
        (
            lambda column: pc.if_else(pc.equal(column, 2), None, column),
            Types.LONG(),
            "Result 2 does not fit output_type: expected LONG",
        ),
        (
            lambda column: pa.record_batch({"id": column, "name": column}),
            PAIR,
            "output_type at field 'name': expected STRING (string or large_string), got a column "
            "of int64.",
        ),
    ],
    ids=["None", "list", "length", "type", "null", "field"],
)
def test_results_that_do_not_fit_fail_the_job(
    wait_batch: Any, numbers: Any, failure_of: Any, make_results: Any, output_type: Any, said: str
) -> None:
    stream = wait_batch(numbers(4), Returning(make_results), TIMEOUT, 4, output_type=output_type)
    text = failure_of(stream)
    assert "InvalidResultError" in text or "Misfit" in text
    assert said in text


def test_a_row_that_is_no_insert_fails_the_job(
    wait_batch: Any, environment: StreamExecutionEnvironment, failure_of: Any
) -> None:
    rows = [Row(1, "x"), Row.of_kind(RowKind.DELETE, 2, "y")]
    stream = environment.from_collection(rows, PAIR)
    identity = Returning(lambda batch: batch)
    text = failure_of(wait_batch(stream, identity, TIMEOUT, 2, output_type=PAIR))
    assert "Row 1 of the batch is of kind DELETE" in text
