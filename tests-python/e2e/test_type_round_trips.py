"""Values of every type arrive at the function, and come back from it, as in PyFlink's own jobs."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyflink.common import Row, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncBatchFunction

BYTES = st.integers(-(2**7), 2**7 - 1)
SHORTS = st.integers(-(2**15), 2**15 - 1)
INTS = st.integers(-(2**31), 2**31 - 1)
LONGS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(width=32)
DOUBLES = st.floats()
# Surrogates are not text: they have no UTF-8.
STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
DECIMALS = st.decimals(
    min_value=-(10**17), max_value=10**17, places=18, allow_nan=False, allow_infinity=False
)
DATES = st.dates(datetime.date(1900, 1, 1), datetime.date(2200, 1, 1))
TIMES = st.times().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000))
TIMESTAMPS = st.datetimes(datetime.datetime(1975, 1, 1), datetime.datetime(2200, 1, 1)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)


def lists_of(values: "st.SearchStrategy[Any]") -> "st.SearchStrategy[list[Any]]":
    return st.lists(values, max_size=4)


NESTED = Types.ROW(
    [
        Types.ROW([Types.LONG(), Types.STRING()]),
        Types.LIST(Types.ROW([Types.INT(), Types.LIST(Types.DOUBLE())])),
        Types.MAP(Types.STRING(), Types.LIST(Types.LONG())),
    ]
)
NESTED_VALUES = st.builds(
    Row,
    st.builds(Row, LONGS, st.none() | STRINGS),
    lists_of(st.builds(Row, INTS, lists_of(DOUBLES))),
    st.dictionaries(STRINGS, lists_of(LONGS), max_size=3),
)

# Each field of a row may be null, so each type is tested with nulls too.
FIELDS: dict[str, tuple[Any, "st.SearchStrategy[Any]"]] = {
    "boolean": (Types.BOOLEAN(), st.booleans()),
    "byte": (Types.BYTE(), BYTES),
    "short": (Types.SHORT(), SHORTS),
    "int": (Types.INT(), INTS),
    "long": (Types.LONG(), LONGS),
    "float": (Types.FLOAT(), FLOATS),
    "double": (Types.DOUBLE(), DOUBLES),
    "big_int": (Types.BIG_INT(), st.integers(-(2**200), 2**200)),
    "big_dec": (Types.BIG_DEC(), DECIMALS),
    "string": (Types.STRING(), STRINGS),
    "date": (Types.SQL_DATE(), DATES),
    "time": (Types.SQL_TIME(), TIMES),
    "timestamp": (Types.SQL_TIMESTAMP(), TIMESTAMPS),
    "bytes": (Types.PRIMITIVE_ARRAY(Types.BYTE()), st.binary(max_size=20)),
    "long_array": (Types.PRIMITIVE_ARRAY(Types.LONG()), lists_of(LONGS)),
    "double_array": (Types.PRIMITIVE_ARRAY(Types.DOUBLE()), lists_of(DOUBLES)),
    "basic_array": (Types.BASIC_ARRAY(Types.STRING()), lists_of(STRINGS)),
    "object_array": (Types.OBJECT_ARRAY(Types.STRING()), lists_of(STRINGS)),
    "list": (Types.LIST(Types.STRING()), lists_of(STRINGS)),
    "map": (Types.MAP(Types.STRING(), Types.LONG()), st.dictionaries(STRINGS, LONGS, max_size=4)),
    "tuple": (Types.TUPLE([Types.LONG(), Types.STRING()]), st.tuples(LONGS, STRINGS)),
    "row": (Types.ROW([Types.LONG(), Types.STRING()]), st.builds(Row, LONGS, STRINGS)),
    "nested": (NESTED, NESTED_VALUES),
}
ROW_TYPE = Types.ROW_NAMED(list(FIELDS), [field_type for field_type, _ in FIELDS.values()])
ROWS = st.builds(Row, *(st.none() | values for _, values in FIELDS.values()))

few_jobs_with_many_values = settings(
    max_examples=3,
    deadline=None,
    # Every attempt to shrink would be a job.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


class Identity(AsyncBatchFunction[Any, Any]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return inputs


class Shown(AsyncBatchFunction[Any, str]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[str]:
        return [repr(value) for value in inputs]


def one_job_of(environment: StreamExecutionEnvironment) -> StreamExecutionEnvironment:
    """A fresh environment: hypothesis runs several jobs in one test."""
    fresh = StreamExecutionEnvironment.get_execution_environment()
    fresh.set_parallelism(1)
    return fresh


# Hypothesis throws most draws of so many rows away, which takes minutes of a slow machine.
@pytest.mark.timeout(600)
@few_jobs_with_many_values
@given(rows=st.lists(ROWS, min_size=50, max_size=200))
def test_values_survive_the_way_there_and_back(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any, rows: list[Any]
) -> None:
    source = one_job_of(environment).from_collection(rows, ROW_TYPE)
    # What a function of PyFlink itself is given is what ours has to be given.
    stock = source.map(lambda row: "stock " + repr(row), output_type=Types.STRING())
    there = wait_batch(source, Shown(), Time.seconds(60), 7, output_type=Types.STRING())
    back = wait_batch(source, Identity(), Time.seconds(60), 7, output_type=ROW_TYPE)
    results = collect(
        stock.union(
            there.map(lambda shown: "there " + shown, output_type=Types.STRING()),
            back.map(lambda row: "back " + repr(row), output_type=Types.STRING()),
        )
    )
    seen: dict[str, list[str]] = {"stock": [], "there": [], "back": []}
    for result in results:
        way, _, shown = result.partition(" ")
        seen[way].append(shown)
    assert len(seen["stock"]) == len(rows)
    for way in ("there", "back"):
        assert sorted(seen[way]) == sorted(seen["stock"]), way


TOP_LEVEL = {
    name: FIELDS[name]
    for name in ("boolean", "int", "long", "double", "string", "big_dec", "bytes", "list", "tuple")
}


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_a_stream_need_not_be_of_rows(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any, name: str
) -> None:
    value_type, strategy = TOP_LEVEL[name]

    @settings(few_jobs_with_many_values, max_examples=1)
    @given(values=st.lists(strategy, min_size=20, max_size=50))
    def check(values: list[Any]) -> None:
        # PyFlink's collection source does not take lists that have a type; its functions do.
        pickled = one_job_of(environment).from_collection(values)
        source = pickled.map(lambda value: value, output_type=value_type)
        stock = source.map(lambda value: "stock " + repr(value), output_type=Types.STRING())
        back = wait_batch(source, Identity(), Time.seconds(60), 7, output_type=value_type)
        results = collect(
            stock.union(back.map(lambda value: "back " + repr(value), output_type=Types.STRING()))
        )
        expected = sorted(shown[len("stock ") :] for shown in results if shown.startswith("stock "))
        assert len(expected) == len(values)
        assert (
            sorted(shown[len("back ") :] for shown in results if shown.startswith("back "))
            == expected
        )

    check()


def test_pickled_objects_are_any_python_values(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any
) -> None:
    values: list[Any] = [1, "a", {"b": [Decimal("1.5")]}, (2, 3), {4}, 2**100, Row(a=1)]
    source = environment.from_collection(values)
    results = collect(wait_batch(source, Identity(), Time.seconds(60), 3))
    assert sorted(map(repr, results)) == sorted(map(repr, values))
