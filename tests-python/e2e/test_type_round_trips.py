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
TIMES = st.times().map(
    lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000, fold=0)
)
# What PyFlink's own functions read right: its coder keeps milliseconds, and 32 bits of seconds.
TIMESTAMPS = st.datetimes(datetime.datetime(1970, 1, 1), datetime.datetime(2038, 1, 19)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, fold=0)
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
    f0=st.builds(Row, f0=LONGS, f1=st.none() | STRINGS),
    f1=lists_of(st.builds(Row, f0=INTS, f1=lists_of(DOUBLES))),
    f2=st.dictionaries(STRINGS, lists_of(LONGS), max_size=3),
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
    "row": (Types.ROW([Types.LONG(), Types.STRING()]), st.builds(Row, f0=LONGS, f1=STRINGS)),
    "nested": (NESTED, NESTED_VALUES),
}
# PyFlink's own functions lose these: there is nothing of theirs to compare ours with.
BEYOND_STOCK: dict[str, tuple[Any, "st.SearchStrategy[Any]"]] = {
    "big_int": (Types.BIG_INT(), st.integers(-(2**200), 2**200)),
    "any_timestamp": (
        Types.SQL_TIMESTAMP(),
        st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1)).map(
            lambda moment: moment.replace(fold=0)
        ),
    ),
}


def row_type_of(fields: dict[str, tuple[Any, Any]]) -> Any:
    return Types.ROW_NAMED(list(fields), [field_type for field_type, _ in fields.values()])


def rows_of(fields: dict[str, tuple[Any, Any]], count: int) -> list[Row]:
    nullable = {name: st.none() | values for name, (_, values) in fields.items()}
    return drawn(st.builds(Row, **nullable), count)


def drawn(values: "st.SearchStrategy[Any]", count: int) -> list[Any]:
    """
    So many values for one job. As examples of their own, because hypothesis begins with the
    simplest one and throws away most of a long list that is drawn at once.
    """
    kept: list[Any] = []

    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(values)
    def keep(value: Any) -> None:
        kept.append(value)

    keep()
    return kept


def shown(value: Any) -> str:
    """As ``repr``, which tells -0.0 from 0.0 and knows NaN, but a map has no order."""
    if isinstance(value, dict):
        entries = sorted(f"{shown(key)}: {shown(item)}" for key, item in value.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, (Row, list, tuple)):
        names = getattr(value, "_fields", "")
        return f"{type(value).__name__}{names}({', '.join(map(shown, value))})"
    return repr(value)


class Identity(AsyncBatchFunction[Any, Any]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return inputs


class Shown(AsyncBatchFunction[Any, str]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[str]:
        return [shown(value) for value in inputs]


def test_values_survive_the_way_there_and_back(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any
) -> None:
    fields = {**FIELDS, **BEYOND_STOCK}
    rows = rows_of(fields, 200)
    pickled = environment.from_collection(rows)
    typed = wait_batch(pickled, Identity(), Time.seconds(60), 7, output_type=row_type_of(fields))
    seen = collect(wait_batch(typed, Identity(), Time.seconds(60), 7))
    assert sorted(map(shown, seen)) == sorted(map(shown, rows))


# In threads PyFlink's functions are given other values: tuples for arrays, which may not be null.
@pytest.mark.process_mode
def test_functions_are_given_what_those_of_pyflink_are_given(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any
) -> None:
    rows = rows_of(FIELDS, 200)
    row_type = row_type_of(FIELDS)
    # PyFlink's collection source cannot read all of these types; its functions can.
    source = environment.from_collection(rows).map(lambda row: row, output_type=row_type)
    stock = source.map(lambda row: "stock " + shown(row), output_type=Types.STRING())
    there = wait_batch(source, Shown(), Time.seconds(60), 7, output_type=Types.STRING())
    back = wait_batch(source, Identity(), Time.seconds(60), 7, output_type=row_type)
    results = collect(
        stock.union(
            there.map(lambda row: "there " + row, output_type=Types.STRING()),
            back.map(lambda row: "back " + shown(row), output_type=Types.STRING()),
        )
    )
    seen: dict[str, list[str]] = {"stock": [], "there": [], "back": []}
    for result in results:
        way, _, row = result.partition(" ")
        seen[way].append(row)
    assert len(seen["stock"]) == len(rows)
    assert sorted(seen["there"]) == sorted(seen["stock"])
    assert sorted(seen["back"]) == sorted(seen["stock"])


TOP_LEVEL = {
    name: FIELDS[name]
    for name in ("boolean", "int", "long", "double", "string", "big_dec", "bytes", "list", "tuple")
}


@pytest.mark.parametrize("name", TOP_LEVEL)
def test_a_stream_need_not_be_of_rows(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any, name: str
) -> None:
    value_type, strategy = TOP_LEVEL[name]
    values = drawn(strategy, 100)
    pickled = environment.from_collection(values)
    source = pickled.map(lambda value: value, output_type=value_type)
    stock = source.map(lambda value: "stock " + shown(value), output_type=Types.STRING())
    back = wait_batch(source, Identity(), Time.seconds(60), 7, output_type=value_type)
    results = collect(
        stock.union(back.map(lambda value: "back " + shown(value), output_type=Types.STRING()))
    )
    expected = sorted(result[len("stock ") :] for result in results if result[:1] == "s")
    assert len(expected) == len(values)
    assert sorted(result[len("back ") :] for result in results if result[:1] == "b") == expected


def test_pickled_objects_are_any_python_values(
    wait_batch: Any, environment: StreamExecutionEnvironment, collect: Any
) -> None:
    values: list[Any] = [1, "a", {"b": [Decimal("1.5")]}, (2, 3), {4}, 2**100, Row(a=1)]
    source = environment.from_collection(values)
    results = collect(wait_batch(source, Identity(), Time.seconds(60), 3))
    assert sorted(map(repr, results)) == sorted(map(repr, values))
