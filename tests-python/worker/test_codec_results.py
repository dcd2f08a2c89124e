"""Which results each type takes, and how the others are refused."""

import datetime
import enum
import pickle
import threading
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from codec_calls import decode, encode
from codec_types import LOCAL_DATE, LOCAL_DATETIME, LOCAL_TIME, schema_of
from pyflink.common import Row, Types
from pyflink.common.time import Instant
from pyflink_async_batch._worker.result_encoder import MisfitResultError

UTC = datetime.timezone.utc
PAIR = Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()])


class Color(enum.IntEnum):
    RED = 1


class Text(str):
    __slots__ = ()

    def __str__(self):
        raise AssertionError("called")


class Rude:
    def __repr__(self):
        raise AssertionError("called")


def round_trip(type_info, *results):
    schema = schema_of(type_info)
    return decode(schema, encode(schema, list(results)), len(results))


ACCEPTED = [
    (Types.BOOLEAN(), np.bool_(True), True),
    (Types.LONG(), np.int64(-5), -5),
    (Types.LONG(), np.uint64(2**63 - 1), 2**63 - 1),
    (Types.INT(), np.int64(7), 7),
    (Types.BYTE(), np.uint8(127), 127),
    (Types.LONG(), Color.RED, 1),
    (Types.DOUBLE(), np.float32(0.1), float(np.float32(0.1))),
    (Types.DOUBLE(), np.float64(0.1), 0.1),
    (Types.DOUBLE(), 2**53, float(2**53)),
    (Types.FLOAT(), 0.1, float(np.float32(0.1))),
    (Types.FLOAT(), np.float16(0.5), 0.5),
    (Types.FLOAT(), 2**24, float(2**24)),
    (Types.FLOAT(), np.int8(3), 3.0),
    (Types.FLOAT(), float("-inf"), float("-inf")),
    (Types.STRING(), np.str_("a"), "a"),
    (Types.PRIMITIVE_ARRAY(Types.BYTE()), bytearray(b"a"), b"a"),
    (Types.PRIMITIVE_ARRAY(Types.BYTE()), memoryview(b"abc")[::2], b"ac"),
    (Types.LIST(Types.BYTE()), [1, -1], b"\x01\xff"),
    (Types.LIST(Types.BYTE()), (), b""),
    (Types.BIG_INT(), np.int32(5), 5),
    (Types.BIG_INT(), 10**6000, 10**6000),
    (Types.BIG_DEC(), 10, Decimal(10)),
    (Types.BIG_DEC(), 10**6000, Decimal(10**6000)),
    (Types.BIG_DEC(), Decimal("-0.00"), Decimal("0.00")),
    (Types.SQL_TIME(), datetime.time(1, 2, 3, 4999), datetime.time(1, 2, 3, 4000)),
    (LOCAL_DATETIME, pd.Timestamp(2020, 1, 1), datetime.datetime(2020, 1, 1)),
    (Types.LIST(Types.LONG()), (1, 2), [1, 2]),
    (Types.LIST(Types.LONG()), np.array([1, 2]), [1, 2]),
    (Types.LIST(Types.LONG()), np.array([1, 2], np.int8), [1, 2]),
    (Types.PRIMITIVE_ARRAY(Types.FLOAT()), np.array([0.5, 1.5], np.float32), [0.5, 1.5]),
    (Types.PRIMITIVE_ARRAY(Types.FLOAT()), np.array([0.5, 1.5])[::-1], [1.5, 0.5]),
    (Types.TUPLE([Types.INT(), Types.PICKLED_BYTE_ARRAY()]), (1, None), (1, None)),
    (Types.PICKLED_BYTE_ARRAY(), None, None),
    (Types.INSTANT(), None, None),
]


@pytest.mark.parametrize(("type_info", "result", "expected"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_accepted(type_info, result, expected):
    (decoded,) = round_trip(type_info, result)
    assert decoded == expected
    assert type(decoded) is type(expected)


REFUSED = [
    (Types.BOOLEAN(), [True, 1], 1, "", "int 1"),
    (Types.BOOLEAN(), [None], 0, "", "None"),
    (Types.LONG(), [1, True], 1, "", "bool True"),
    (Types.LONG(), [1, np.True_], 1, "", "numpy.bool"),
    (Types.LONG(), [1, 1.0], 1, "", "float 1.0"),
    (Types.LONG(), [np.float64(1)], 0, "", "numpy.float64"),
    (Types.LONG(), [0, float("nan")], 1, "", "float nan"),
    (Types.LONG(), [0, 2**63], 1, "", "9223372036854775808, out of -9223372036854775808.."),
    (Types.LONG(), [np.uint64(2**63)], 0, "", "out of"),
    (Types.LONG(), [0, 10**6000], 1, "", "int of 19932 bits"),
    (Types.INT(), [0, 2**31, 2**40], 1, "", "int 2147483648"),
    (Types.INT(), [0, np.int64(-(2**31) - 1)], 1, "", "out of"),
    (Types.SHORT(), [2**15], 0, "", "out of -32768..32767"),
    (Types.BYTE(), [0, 0, 128], 2, "", "out of -128..127"),
    (Types.LONG(), [None], 0, "", "None"),
    (Types.LONG(), ["1"], 0, "", "str '1'"),
    (Types.LONG(), [Decimal(1)], 0, "", "decimal.Decimal"),
    (Types.LONG(), [np.array(1)], 0, "", "numpy.ndarray"),
    (Types.LONG(), [Rude()], 0, "", "Rude"),
    (Types.DOUBLE(), [True], 0, "", "bool"),
    (Types.DOUBLE(), [0.5, "0.5"], 1, "", "str"),
    (Types.DOUBLE(), [2**53 + 1], 0, "", "beyond the exact"),
    (Types.DOUBLE(), [Decimal("0.1")], 0, "", "decimal.Decimal"),
    (Types.DOUBLE(), [0.5, None], 1, "", "None"),
    (Types.FLOAT(), [0.5, 1e300], 1, "", "beyond 3.4"),
    (Types.FLOAT(), [np.float64(-1e39)], 0, "", "beyond 3.4"),
    (Types.FLOAT(), [2**24 + 1], 0, "", "beyond the exact"),
    (Types.STRING(), ["a", b"a"], 1, "", "bytes b'a'"),
    (Types.STRING(), ["a", None], 1, "", "None"),
    (Types.STRING(), ["a", "x\ud800"], 1, "", "lone surrogate at index 1"),
    (Types.STRING(), [1], 0, "", "int 1"),
    (Types.CHAR(), ["ab"], 0, "", "not one character"),
    (Types.CHAR(), [""], 0, "", "not one character"),
    (Types.CHAR(), ["\U0001f600"], 0, "", "U+1F600"),
    (Types.CHAR(), ["\ud800"], 0, "", "U+D800"),
    (Types.CHAR(), [97], 0, "", "int"),
    (Types.PRIMITIVE_ARRAY(Types.BYTE()), ["a"], 0, "", "str"),
    (Types.PRIMITIVE_ARRAY(Types.BYTE()), [[1]], 0, "", "list"),
    (Types.PRIMITIVE_ARRAY(Types.BYTE()), [3], 0, "", "int"),
    (Types.LIST(Types.BYTE()), [b"", [1, 128]], 1, "[1]", "out of"),
    (Types.LIST(Types.BYTE()), ["a"], 0, "", "str"),
    (Types.BIG_INT(), [True], 0, "", "bool"),
    (Types.BIG_INT(), [1.0], 0, "", "float"),
    (Types.BIG_DEC(), [1.5], 0, "", "float"),
    (Types.BIG_DEC(), [Decimal("NaN")], 0, "", "not finite"),
    (Types.BIG_DEC(), [Decimal("sNaN")], 0, "", "not finite"),
    (Types.BIG_DEC(), [Decimal("Infinity")], 0, "", "not finite"),
    (Types.BIG_DEC(), [Decimal("1E+3000000000")], 0, "", "exponent"),
    (Types.SQL_DATE(), [datetime.datetime(2020, 1, 1)], 0, "", "datetime.datetime"),
    (Types.SQL_DATE(), [datetime.date(2020, 1, 1), "2020-01-01"], 1, "", "str"),
    (Types.SQL_DATE(), [None], 0, "", "None"),
    (Types.SQL_TIME(), [datetime.time(1, tzinfo=UTC)], 0, "", "time zone"),
    (Types.SQL_TIME(), [1], 0, "", "int"),
    (Types.SQL_TIMESTAMP(), [datetime.datetime(2020, 1, 1, tzinfo=UTC)], 0, "", "time zone"),
    (Types.SQL_TIMESTAMP(), [datetime.date(2020, 1, 1)], 0, "", "datetime.date"),
    (Types.SQL_TIMESTAMP(), [pd.Timestamp(1)], 0, "", "nanoseconds"),
    (Types.SQL_TIMESTAMP(), [np.datetime64("2020-01-01")], 0, "", "numpy.datetime64"),
    (LOCAL_DATE, [1], 0, "", "int"),
    (LOCAL_TIME, [datetime.datetime(2020, 1, 1)], 0, "", "datetime.datetime"),
    (Types.INSTANT(), [datetime.datetime(2020, 1, 1)], 0, "", "datetime.datetime"),
    (Types.INSTANT(), [Instant(0, 0), Instant(0, 10**9)], 1, "", "nanos=int 1000000000"),
    (Types.INSTANT(), [Instant(0, -1)], 0, "", "nanos=int -1"),
    (Types.INSTANT(), [Instant(2**62, 0)], 0, "", "seconds="),
    (Types.INSTANT(), [Instant(10**6000, 0)], 0, "", "seconds=int of"),
    (Types.INSTANT(), [Instant(0.5, 0)], 0, "", "float 0.5"),
    (
        Types.PICKLED_BYTE_ARRAY(),
        [1, threading.Lock()],
        1,
        "",
        "does not pickle: TypeError: cannot",
    ),
    (Types.LIST(Types.LONG()), [[1], [1, 2, "x"]], 1, "[2]", "str 'x'"),
    (Types.LIST(Types.LONG()), [[], [], [1], [None]], 3, "[0]", "None"),
    (Types.LIST(Types.LONG()), ["abc"], 0, "", "str"),
    (Types.LIST(Types.LONG()), [{1: 2}], 0, "", "dict"),
    (Types.LIST(Types.LONG()), [{1}], 0, "", "set"),
    (Types.LIST(Types.LONG()), [iter([1])], 0, "", "list_iterator"),
    (Types.LIST(Types.LONG()), [None], 0, "", "None"),
    (Types.LIST(Types.LONG()), [np.zeros((2, 2))], 0, "", "numpy.ndarray"),
    (Types.LIST(Types.LONG()), [np.array([1, 2]), np.array([1.5])], 1, "[0]", "float 1.5"),
    (Types.PRIMITIVE_ARRAY(Types.FLOAT()), [[0.5, None]], 0, "[1]", "None"),
    (Types.PRIMITIVE_ARRAY(Types.FLOAT()), [[0.5, 1e39]], 0, "[1]", "beyond"),
    (Types.MAP(Types.STRING(), Types.INT()), [{"a": 1}, {"b": 2, 3: 3}], 1, "{key}", "int 3"),
    (Types.MAP(Types.STRING(), Types.INT()), [{}, {"a": 1, "b": "c"}], 1, "{value}", "str 'c'"),
    (Types.MAP(Types.STRING(), Types.INT()), [{None: 1}], 0, "{key}", "None"),
    (Types.MAP(Types.STRING(), Types.INT()), [[("a", 1)]], 0, "", "list"),
    (Types.TUPLE([Types.INT()]), [(1,), (1, 2)], 1, "", "tuple of 2 fields"),
    (Types.TUPLE([Types.INT()]), [[1]], 0, "", "list"),
    (Types.TUPLE([Types.INT()]), [None], 0, "", "None"),
    (Types.TUPLE([Types.INT(), Types.INT()]), [(1, 2), (3, None)], 1, "f1", "None"),
    (PAIR, [Row(1, "a"), Row(1)], 1, "", "Row of 1 fields"),
    (PAIR, [(1, "a")], 0, "", "tuple"),
    (PAIR, [{"a": 1, "b": "x"}], 0, "", "dict"),
    (PAIR, [None], 0, "", "None"),
    (PAIR, [Row(a=1, c="x")], 0, "", "fields ['a', 'c'] instead of ['a', 'b']"),
    (PAIR, [Row(1, "x"), Row("x", 1)], 1, "a", "str 'x'"),
    (
        Types.ROW_NAMED(["p", "q"], [Types.LONG(), Types.LIST(PAIR)]),
        [Row(1, [Row(1, "x")]), Row(2, None), Row(3, [Row(1, "x"), Row(2, 3)])],
        2,
        "q[1].b",
        "int 3",
    ),
    (
        Types.ROW([Types.TUPLE([Types.INT()])]),
        [Row(None), Row((1,)), Row(None), Row(("x",))],
        3,
        "f0.f0",
        "str 'x'",
    ),
    (
        Types.ROW([Types.MAP(Types.STRING(), Types.LIST(Types.INT()))]),
        [Row({}), Row({"a": [], "b": [1, "x"]})],
        1,
        "f0{value}[1]",
        "str 'x'",
    ),
]


@pytest.mark.parametrize(
    ("type_info", "results", "index", "path", "found"), REFUSED, ids=range(len(REFUSED))
)
def test_refused(type_info, results, index, path, found):
    with pytest.raises(MisfitResultError) as caught:
        encode(schema_of(type_info), results)
    error = caught.value
    assert isinstance(error, TypeError)
    assert (error.index, error.path) == (index, path)
    assert found in error.found
    assert str(error).startswith(f"Result {index} does not fit output_type")
    assert found in str(error)
    assert len(str(error)) < 400


def test_the_error_is_bounded_and_holds_no_composite_value():
    with pytest.raises(MisfitResultError) as caught:
        encode(schema_of(Types.LONG()), ["secret" * 100_000])
    assert len(str(caught.value)) < 250
    with pytest.raises(MisfitResultError) as caught:
        encode(schema_of(Types.LONG()), [{"secret": 1}])
    assert "secret" not in str(caught.value)


def test_the_error_pickles():
    error = pickle.loads(pickle.dumps(MisfitResultError(1, "a", "LONG", "str")))
    assert (error.index, error.path) == (1, "a")
    assert "Result 1" in str(error)


def test_str_subclasses_are_taken_without_calling_them():
    assert round_trip(Types.STRING(), Text("a")) == ["a"]


def test_rows_go_by_name_where_they_have_names():
    first, second = round_trip(PAIR, Row(b="x", a=1), Row(2, "y"))
    assert (first.a, first.b) == (1, "x")
    assert (second.a, second.b) == (2, "y")


def test_encoding_leaves_the_results_as_they_are():
    results = [Row(b="x", a=1), Row(2, None)]
    encode(schema_of(PAIR), results)
    assert results == [Row(b="x", a=1), Row(2, None)]
    assert not hasattr(results[1], "_fields")


def test_nan_stays_nan():
    (value,) = round_trip(Types.DOUBLE(), float("nan"))
    assert value != value
    (value,) = round_trip(Types.FLOAT(), np.float32("nan"))
    assert value != value


def test_an_empty_batch():
    for type_info in (Types.LONG(), PAIR, Types.LIST(PAIR), Types.MAP(Types.INT(), PAIR)):
        assert round_trip(type_info) == []
