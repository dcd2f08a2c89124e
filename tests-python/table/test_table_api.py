"""The decorator of the Table API, on tables of a running job."""

from datetime import timedelta
from typing import Any, Callable

import pytest
from pyflink.common import Row
from pyflink.table import DataTypes, StreamTableEnvironment, Table
from pyflink_async_batch import (
    AsyncBatchFunction,
    ExponentialBackoffRetryStrategy,
    InvalidFunctionError,
    InvalidOptionError,
    InvalidOptionTypeError,
    UnsupportedTableError,
)
from pyflink_async_batch.table import async_batch_udf

Udf = Callable[..., Table]


def udf(result_type: Any, **options: Any) -> Any:
    chosen: dict[str, Any] = {
        "batch_size": 4,
        "timeout": timedelta(seconds=60),
        "batch_timeout": timedelta(milliseconds=50),
        **options,
    }
    return async_batch_udf(result_type=result_type, **chosen)


def numbers(tables: StreamTableEnvironment, count: int = 10) -> Table:
    return tables.from_elements(
        [(number, "t%d" % number) for number in range(count)],
        DataTypes.ROW(
            [DataTypes.FIELD("id", DataTypes.BIGINT()), DataTypes.FIELD("text", DataTypes.STRING())]
        ),
    )


def collect(table: Table) -> list[Any]:
    with table.execute().collect() as rows:
        return [tuple(row) for row in rows]


def test_a_coroutine_function_adds_a_column(tables: StreamTableEnvironment) -> None:
    @udf(DataTypes.ARRAY(DataTypes.FLOAT()), ordered=True)
    async def embedding(inputs: list[int]) -> list[list[float]]:
        return [[float(number), float(len(inputs))] for number in inputs]

    table = embedding(numbers(tables), "id")

    assert table.get_schema().get_field_names() == ["id", "text", "embedding"]
    rows = collect(table)
    assert [(row[0], row[1], row[2][0]) for row in rows] == [
        (number, "t%d" % number, float(number)) for number in range(10)
    ]
    assert max(row[2][1] for row in rows) == 4.0


def test_a_row_adds_its_fields_and_several_columns_are_a_row(
    tables: StreamTableEnvironment,
) -> None:
    @udf(
        DataTypes.ROW(
            [
                DataTypes.FIELD("both", DataTypes.STRING().not_null()),
                DataTypes.FIELD("image", DataTypes.BYTES()),
            ]
        ),
        ordered=True,
        retry=ExponentialBackoffRetryStrategy(
            2, timedelta(milliseconds=1), exception_predicate=lambda error: True
        ),
    )
    class Join(AsyncBatchFunction):
        def open(self, runtime_context: Any) -> None:
            self.failed = False

        async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
            if not self.failed:
                self.failed = True
                raise OSError("once")
            return [Row("%s-%d" % (row.text, row.id), b"\x01") for row in inputs]

    assert collect(Join(numbers(tables, 2), "text", "id")) == [
        (0, "t0", "t0-0", b"\x01"),
        (1, "t1", "t1-1", b"\x01"),
    ]


def test_rows_that_make_a_call_fail_are_found_and_left_out(tables: StreamTableEnvironment) -> None:
    @udf(DataTypes.BIGINT(), on_failure="skip", isolate=True, ordered=True)
    async def halves(inputs: list[int]) -> list[int]:
        return [number // 2 if number % 4 else number // 0 for number in inputs]

    assert [row[0] for row in collect(halves(numbers(tables, 9), "id"))] == [1, 2, 3, 5, 6, 7]


def test_a_result_that_must_not_be_null_fails_the_job(tables: StreamTableEnvironment) -> None:
    @udf(DataTypes.ROW([DataTypes.FIELD("y", DataTypes.INT().not_null())]))
    async def nothing(inputs: list[Any]) -> list[Any]:
        return [Row(None) for _ in inputs]

    with pytest.raises(Exception, match="column 'y' is INT NOT NULL, got none"):
        collect(nothing(numbers(tables), "id"))


def test_time_attributes_keep_their_watermarks(tables: StreamTableEnvironment) -> None:
    tables.execute_sql(
        "CREATE TEMPORARY TABLE ticks (id BIGINT, ts AS TO_TIMESTAMP_LTZ(id * 1000, 3), "
        "WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen', 'number-of-rows' = '30', "
        "'fields.id.kind' = 'sequence', 'fields.id.start' = '0', 'fields.id.end' = '29')"
    )

    @udf(DataTypes.BIGINT())
    async def twice(inputs: list[int]) -> list[int]:
        return [2 * number for number in inputs]

    tables.create_temporary_view("doubled", twice(tables.from_path("ticks"), "id"))
    windows = collect(
        tables.sql_query(
            "SELECT COUNT(*), SUM(twice) FROM TUMBLE(TABLE doubled, DESCRIPTOR(ts), "
            "INTERVAL '10' SECOND) GROUP BY window_start, window_end"
        )
    )
    assert windows == [(10, 90), (10, 290), (10, 490)]


def test_tables_that_update_rows_are_refused(tables: StreamTableEnvironment) -> None:
    @udf(DataTypes.BIGINT())
    async def same(inputs: list[int]) -> list[int]:
        return inputs

    counted = tables.sql_query("SELECT text, COUNT(*) AS n FROM %s GROUP BY text" % numbers(tables))
    with pytest.raises(UnsupportedTableError, match="update"):
        same(counted, "n")


def test_columns_are_checked(tables: StreamTableEnvironment) -> None:
    @udf(DataTypes.BIGINT(), result_name="text")
    async def named_as_a_column(inputs: list[int]) -> list[int]:
        return inputs

    table = numbers(tables)
    with pytest.raises(UnsupportedTableError, match="no column 'nobody': it has"):
        named_as_a_column(table, "nobody")
    with pytest.raises(UnsupportedTableError, match="already has a column 'text'"):
        named_as_a_column(table, "id")
    with pytest.raises(InvalidOptionTypeError, match="columns must be names of columns"):
        named_as_a_column(table)
    with pytest.raises(InvalidOptionTypeError, match="table must be"):
        named_as_a_column("table", "id")


def test_arguments_are_checked() -> None:
    async def function(inputs: list[Any]) -> list[Any]:
        return inputs

    with pytest.raises(InvalidOptionTypeError, match="result_type must be"):
        udf("BIGINT")
    with pytest.raises(InvalidOptionError, match="batch_size must be"):
        udf(DataTypes.BIGINT(), batch_size=0)
    with pytest.raises(InvalidOptionError, match="on_failure must be 'fail' or 'skip'"):
        udf(DataTypes.BIGINT(), on_failure="dead_letter")
    with pytest.raises(InvalidOptionTypeError, match="async_retry_strategy must be"):
        udf(DataTypes.BIGINT(), retry=3)
    with pytest.raises(InvalidFunctionError, match="should be an instance of a class"):
        udf(DataTypes.BIGINT())(lambda inputs: inputs)
    assert udf(DataTypes.BIGINT())(function).__name__ == "function"
