"""ML_PREDICT with models that are Python functions."""

import re
from typing import Any, Callable

import pytest
from py4j.protocol import Py4JJavaError
from pyflink.table import StreamTableEnvironment
from pyflink.util.exceptions import JavaException
from pyflink_async_batch.options import DEFAULT_WORKER

HEADER = "from pyflink_async_batch import AsyncBatchFunction\nfrom pyflink.common import Row\n"

# Tells the batch's size beside each result.
LENGTHS = (
    HEADER
    + """
class Lengths(AsyncBatchFunction):
    async def async_invoke_batch(self, inputs):
        return [Row(len(row.text), len(inputs)) for row in inputs]
"""
)

Ship = Callable[[str, str], None]


def texts(tables: StreamTableEnvironment, count: int) -> None:
    rows = ", ".join("(%d, '%s')" % (number, "x" * number) for number in range(count))
    tables.execute_sql(
        "CREATE TEMPORARY VIEW texts AS SELECT * FROM (VALUES %s) AS t(id, text)" % rows
    )


def create_model(
    tables: StreamTableEnvironment, columns: str, function: str, options: str = ""
) -> None:
    tables.execute_sql(
        "CREATE MODEL m %s WITH ('provider' = 'async-batch', 'backend' = 'python', "
        "'python.function' = '%s'%s)" % (columns, function, options)
    )


def run(tables: StreamTableEnvironment, statement: str) -> list[Any]:
    with tables.execute_sql(statement).collect() as results:
        return list(results)


@pytest.mark.parametrize("worker", [DEFAULT_WORKER, "shared"])
def test_a_function_of_a_shipped_module_computes_batches(
    tables: StreamTableEnvironment, ship: Ship, worker: str
) -> None:
    ship("lengths", LENGTHS)
    texts(tables, 25)
    create_model(
        tables,
        "INPUT (text STRING) OUTPUT (length BIGINT, together INT)",
        "lengths:Lengths",
        ", 'batch-size' = '5', 'python.worker' = '%s'" % worker,
    )
    rows = run(
        tables,
        "SELECT id, length, together FROM ML_PREDICT(TABLE texts, MODEL m, DESCRIPTOR(text), "
        "MAP['max-concurrent-operations', '20'])",
    )
    assert [(row[0], row[1]) for row in rows] == [(number, number) for number in range(25)]
    assert max(row[2] for row in rows) == 5


def test_types_travel_there_and_back(tables: StreamTableEnvironment, ship: Ship) -> None:
    ship(
        "same",
        HEADER
        + """
class Same(AsyncBatchFunction):
    async def async_invoke_batch(self, inputs):
        return [Row(*row) for row in inputs]
""",
    )
    columns = (
        "a ARRAY<FLOAT NOT NULL>, b ARRAY<FLOAT>, c BYTES, d DECIMAL(6, 2), e TIMESTAMP(3), "
        "f ROW<x INT, y ARRAY<STRING>>, g MAP<STRING, BIGINT>, h DATE, i BOOLEAN"
    )
    tables.execute_sql(
        "CREATE TEMPORARY VIEW everything AS SELECT "
        "CAST(ARRAY[1.5, 2] AS ARRAY<FLOAT NOT NULL>) AS a, "
        "CAST(ARRAY[1, NULL] AS ARRAY<FLOAT>) AS b, CAST(x'0102' AS BYTES) AS c, "
        "CAST(12.5 AS DECIMAL(6, 2)) AS d, TIMESTAMP '2026-01-02 03:04:05.678' AS e, "
        "CAST(ROW(7, ARRAY['p', 'q']) AS ROW<x INT, y ARRAY<STRING>>) AS f, "
        "CAST(MAP['k', 9] AS MAP<STRING, BIGINT>) AS g, DATE '2026-02-28' AS h, "
        "CAST(NULL AS BOOLEAN) AS i"
    )
    outputs = re.sub(r"(^|, )([a-i]) ", r"\1out_\2 ", columns)
    create_model(tables, "INPUT (%s) OUTPUT (%s)" % (columns, outputs), "same:Same")
    # As texts: PyFlink's own client cannot read an array with a null.
    shown = ", ".join("CAST(%s AS STRING)" % name for name in "abcdefghi")
    (row,) = run(
        tables,
        "SELECT %s, %s FROM ML_PREDICT(TABLE everything, MODEL m, "
        "DESCRIPTOR(a, b, c, d, e, f, g, h, i))" % (shown, shown.replace("(", "(out_")),
    )
    values = list(row)
    assert values[9:] == values[:9]
    assert values[:2] == ["[1.5, 2.0]", "[1.0, NULL]"]
    assert values[8] is None


@pytest.mark.parametrize(
    ("error", "options"),
    [
        ('OSError("not yet")', ", 'retry-strategy' = 'exponential_delay', 'retry-delay' = '1 ms'"),
        # Who asks for it needs no strategy.
        ("RetryLater(0.01)", ""),
    ],
)
def test_a_failed_call_is_repeated_as_the_model_says_or_the_function(
    tables: StreamTableEnvironment, ship: Ship, error: str, options: str
) -> None:
    ship(
        "third",
        HEADER
        + """
from pyflink_async_batch import RetryLater


class ThirdTime(AsyncBatchFunction):
    def open(self, runtime_context):
        self.calls = 0

    async def async_invoke_batch(self, inputs):
        self.calls += 1
        if self.calls < 3:
            raise %s
        return [Row(self.calls) for _ in inputs]
"""
        % error,
    )
    texts(tables, 3)
    create_model(
        tables,
        "INPUT (text STRING) OUTPUT (calls INT)",
        "third:ThirdTime",
        options,
    )
    rows = run(tables, "SELECT calls FROM ML_PREDICT(TABLE texts, MODEL m, DESCRIPTOR(text))")
    assert [row[0] for row in rows] == [3, 3, 3]


def test_a_batch_that_takes_too_long_gets_substitutes(
    tables: StreamTableEnvironment, ship: Ship
) -> None:
    ship(
        "slow",
        HEADER
        + """
import asyncio


class Slow(AsyncBatchFunction):
    async def async_invoke_batch(self, inputs):
        await asyncio.Event().wait()

    def timeout_batch(self, inputs):
        return [Row(-1) for _ in inputs]
""",
    )
    texts(tables, 2)
    create_model(
        tables,
        "INPUT (text STRING) OUTPUT (length INT)",
        "slow:Slow",
        ", 'timeout' = '50 ms'",
    )
    rows = run(tables, "SELECT length FROM ML_PREDICT(TABLE texts, MODEL m, DESCRIPTOR(text))")
    assert [row[0] for row in rows] == [-1, -1]


@pytest.mark.parametrize(
    ("result", "output", "problem"),
    [
        ("Row(None)", "INT NOT NULL", "column 'y' is INT NOT NULL, got none"),
        ("1 / 0", "INT", "ZeroDivisionError"),
    ],
)
def test_results_that_do_not_fit_fail_the_job_by_name(
    tables: StreamTableEnvironment, ship: Ship, result: str, output: str, problem: str
) -> None:
    ship(
        "misfit",
        HEADER
        + """
class Misfit(AsyncBatchFunction):
    async def async_invoke_batch(self, inputs):
        return [%s for _ in inputs]
"""
        % result,
    )
    texts(tables, 2)
    create_model(tables, "INPUT (text STRING) OUTPUT (y %s)" % output, "misfit:Misfit")
    with pytest.raises((Py4JJavaError, JavaException)) as failure:
        run(tables, "SELECT y FROM ML_PREDICT(TABLE texts, MODEL m, DESCRIPTOR(text))")
    assert problem in _text(failure.value)


@pytest.mark.parametrize(
    ("columns", "function", "options", "problem"),
    [
        ("INPUT (text STRING) OUTPUT (y INT)", "no_colon", "", "'module:Class' or 'module:object'"),
        ("INPUT (text STRING) OUTPUT (y MULTISET<INT>)", "m:F", "", "'y' is of type MULTISET"),
        # Flink's operator bounds the rows in flight.
        (
            "INPUT (text STRING) OUTPUT (y INT)",
            "m:F",
            ", 'concurrency' = 'adaptive'",
            "concurrency",
        ),
    ],
)
def test_what_cannot_be_is_refused_before_the_job(
    tables: StreamTableEnvironment, columns: str, function: str, options: str, problem: str
) -> None:
    texts(tables, 1)
    create_model(tables, columns, function, options)
    with pytest.raises((Py4JJavaError, JavaException)) as refusal:
        tables.explain_sql("SELECT * FROM ML_PREDICT(TABLE texts, MODEL m, DESCRIPTOR(text))")
    assert problem in _text(refusal.value)


def test_a_module_that_no_worker_finds_is_named(tables: StreamTableEnvironment) -> None:
    texts(tables, 1)
    create_model(tables, "INPUT (text STRING) OUTPUT (y INT)", "no_such_module:Function")
    with pytest.raises((Py4JJavaError, JavaException)) as failure:
        run(tables, "SELECT y FROM ML_PREDICT(TABLE texts, MODEL m, DESCRIPTOR(text))")
    assert "finds no module 'no_such_module'" in _text(failure.value)


def _text(error: BaseException) -> str:
    """Of a Java exception with its causes."""
    texts = []
    cause: Any = error
    while cause is not None:
        texts.append(str(cause))
        if isinstance(cause, Py4JJavaError):
            texts.append(str(cause.java_exception))
        cause = cause.__cause__ or cause.__context__
    return "\n".join(texts)
