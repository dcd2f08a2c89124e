"""Holds the codec to the bytes that the operator's own tests hold theirs to.

Set ASYNCBATCH_GOLDEN_WRITE=1 to write the ``.python`` files anew, which the Java tests read.
"""

import datetime
import os
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from codec_calls import decode, encode
from codec_types import LOCAL_DATE, LOCAL_DATETIME, LOCAL_TIME, schema_of
from pyflink.common import Row, RowKind, Types
from pyflink.common.time import Instant

GOLDEN = Path(__file__).parents[2] / "proto" / "golden"


def row(kind, names, *values):
    made = Row.of_kind(kind, *values)
    made.set_field_names(names)
    return made


INS, DEL = RowKind.INSERT, RowKind.DELETE
NESTED = ["id", "inner", "tags", "attributes", "pair"]
UTC_MAX = datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)

SAMPLES = {
    "boolean": (Types.BOOLEAN(), [True, False, True]),
    "byte": (Types.BYTE(), [-128, 0, 127]),
    "short": (Types.SHORT(), [-(2**15), 7, 2**15 - 1]),
    "int": (Types.INT(), [-(2**31), 0, 2**31 - 1]),
    "long": (Types.LONG(), [-(2**63), 0, 2**63 - 1]),
    "float": (Types.FLOAT(), [1.5, -0.0, 2.0**-149, float("inf")]),
    "double": (Types.DOUBLE(), [0.1, -0.0, 1.7976931348623157e308, float("-inf")]),
    "char": (Types.CHAR(), ["a", "\0", "€"]),
    "string": (Types.STRING(), ["", "abc", "ä€\U0001f600", "nul\0in"]),
    "big_int": (Types.BIG_INT(), [0, -1, 128, -(10**40)]),
    "big_dec": (
        Types.BIG_DEC(),
        [
            Decimal("1.10"),
            Decimal("1.1"),
            Decimal("-1E+30"),
            Decimal("12345678901234567890.123456789012345678901234567890"),
        ],
    ),
    "sql_date": (
        Types.SQL_DATE(),
        [
            datetime.date(1970, 1, 1),
            datetime.date(1899, 12, 31),
            datetime.date(9999, 12, 31),
            datetime.date(1, 1, 1),
        ],
    ),
    "sql_time": (
        Types.SQL_TIME(),
        [
            datetime.time(0, 0),
            datetime.time(23, 59, 59, 999000),
            datetime.time(12, 34, 56, 7000),
        ],
    ),
    "sql_timestamp": (
        Types.SQL_TIMESTAMP(),
        [
            datetime.datetime(1970, 1, 1),
            datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
            datetime.datetime(1, 1, 1),
            UTC_MAX,
        ],
    ),
    "local_date": (
        LOCAL_DATE,
        [
            datetime.date(1, 1, 1),
            datetime.date(1582, 10, 10),
            None,
            datetime.date(9999, 12, 31),
        ],
    ),
    "local_time": (
        LOCAL_TIME,
        [datetime.time(0, 0), None, datetime.time(23, 59, 59, 999999)],
    ),
    "local_datetime": (
        LOCAL_DATETIME,
        [
            datetime.datetime(1, 1, 1),
            datetime.datetime(1969, 12, 31, 23, 59, 59, 999999),
            None,
            UTC_MAX,
        ],
    ),
    "instant": (
        Types.INSTANT(),
        [
            Instant(0, 0),
            Instant(-1, 999_999_999),
            None,
            Instant(-31557014167219200, 0),
            Instant(31556889864403199, 999_999_999),
        ],
    ),
    "bytes": (Types.PRIMITIVE_ARRAY(Types.BYTE()), [b"", b"\x00\xff\x7f"]),
    "pickled": (Types.PICKLED_BYTE_ARRAY(), [{"a": [1, None]}, None]),
    "boolean_array": (Types.PRIMITIVE_ARRAY(Types.BOOLEAN()), [[True, False, True], []]),
    "short_array": (Types.PRIMITIVE_ARRAY(Types.SHORT()), [[-(2**15), 2**15 - 1], []]),
    "int_array": (Types.PRIMITIVE_ARRAY(Types.INT()), [[], list(range(1, 18)), [-(2**31)]]),
    "long_array": (Types.PRIMITIVE_ARRAY(Types.LONG()), [[-(2**63), 2**63 - 1], [0]]),
    "float_array": (Types.PRIMITIVE_ARRAY(Types.FLOAT()), [[0.5, -1.25], []]),
    "double_array": (Types.PRIMITIVE_ARRAY(Types.DOUBLE()), [[0.1, 5e-324]]),
    "char_array": (Types.PRIMITIVE_ARRAY(Types.CHAR()), [["x", "€"], []]),
    "basic_array_long": (Types.BASIC_ARRAY(Types.LONG()), [[1, None, -1], []]),
    "basic_array_byte": (Types.BASIC_ARRAY(Types.BYTE()), [[1, None, -1]]),
    "basic_array_string": (Types.BASIC_ARRAY(Types.STRING()), [["a", None, ""], []]),
    "object_array": (Types.OBJECT_ARRAY(Types.BIG_DEC()), [[Decimal("0.00"), None], []]),
    "list": (Types.LIST(Types.STRING()), [["a", "b"], [], ["c"]]),
    "list_byte": (Types.LIST(Types.BYTE()), [b"\xff\x01", b""]),
    "list_list": (Types.LIST(Types.LIST(Types.INT())), [[[1, 2], []], [], [[3]]]),
    "map": (Types.MAP(Types.STRING(), Types.LONG()), [{"a": 1, "b": None}, {}]),
    "tuple": (Types.TUPLE([Types.INT(), Types.STRING()]), [(1, "one"), (2, "two")]),
    "row": (
        Types.ROW([Types.LONG(), Types.STRING()]),
        [
            row(INS, ["f0", "f1"], 1, "one"),
            row(DEL, ["f0", "f1"], None, None),
            row(RowKind.UPDATE_AFTER, ["f0", "f1"], 3, ""),
            row(RowKind.UPDATE_BEFORE, ["f0", "f1"], 4, None),
        ],
    ),
    "row_empty": (Types.ROW([]), [row(INS, []), row(DEL, [])]),
    "row_names": (
        Types.ROW_NAMED(
            ["row_kind", "$row_kind", "value"], [Types.INT(), Types.INT(), Types.BOOLEAN()]
        ),
        [
            row(INS, ["row_kind", "$row_kind", "value"], 1, 2, True),
            row(INS, ["row_kind", "$row_kind", "value"], 3, None, None),
        ],
    ),
    "row_nested": (
        Types.ROW_NAMED(
            NESTED,
            [
                Types.LONG(),
                Types.ROW_NAMED(["at", "score"], [Types.INSTANT(), Types.FLOAT()]),
                Types.LIST(Types.STRING()),
                Types.MAP(
                    Types.STRING(),
                    Types.OBJECT_ARRAY(Types.TUPLE([Types.INT(), Types.STRING()])),
                ),
                Types.TUPLE([Types.INT(), Types.PRIMITIVE_ARRAY(Types.BYTE()), Types.SQL_DATE()]),
            ],
        ),
        [
            row(
                INS,
                NESTED,
                1,
                row(DEL, ["at", "score"], Instant(5, 7), 0.5),
                ["x", "y"],
                {"k": [(1, "a"), None]},
                (9, b"\x01\x02", datetime.date(2020, 2, 29)),
            ),
            row(INS, NESTED, None, None, None, None, None),
            row(INS, NESTED, 2, row(INS, ["at", "score"], None, None), [], {}, None),
        ],
    ),
}


def golden(name, kind):
    return (GOLDEN / f"arrow_{name}.{kind}").read_bytes()


def test_every_golden_batch_is_covered():
    assert {path.stem for path in GOLDEN.glob("arrow_*.batch")} == {
        "arrow_" + name for name in SAMPLES
    }


@pytest.mark.parametrize("name", SAMPLES)
def test_the_tests_schema_is_the_operators(name):
    theirs = pa.ipc.read_schema(pa.py_buffer(golden(name, "schema")))
    assert schema_of(SAMPLES[name][0]).equals(theirs, check_metadata=True)


@pytest.mark.parametrize("name", SAMPLES)
def test_decodes_the_operators_batch(name):
    expected = SAMPLES[name][1]
    decoded = decode(golden(name, "schema"), golden(name, "batch"), len(expected))
    assert decoded == expected
    assert list(map(repr, decoded)) == list(map(repr, expected))


@pytest.mark.parametrize("name", SAMPLES)
def test_encodes_what_it_decodes(name):
    schema, expected = golden(name, "schema"), SAMPLES[name][1]
    encoded = encode(schema, expected)
    if os.environ.get("ASYNCBATCH_GOLDEN_WRITE") == "1":
        (GOLDEN / f"arrow_{name}.python").write_bytes(encoded)
    assert decode(schema, encoded, len(expected)) == expected


@pytest.mark.parametrize("name", SAMPLES)
def test_decodes_the_committed_batch_of_python(name):
    expected = SAMPLES[name][1]
    decoded = decode(golden(name, "schema"), golden(name, "python"), len(expected))
    assert decoded == expected


@pytest.mark.parametrize("name", SAMPLES)
def test_decoded_values_do_not_alias_the_body(name):
    expected = SAMPLES[name][1]
    body = bytearray(golden(name, "batch"))
    schema = golden(name, "schema")
    first = decode(schema, memoryview(body), len(expected))
    second = decode(schema, memoryview(body), len(expected))
    for i in range(len(body)):
        body[i] = 0xA5
    assert first == expected
    assert second == expected
    for a, b in zip(first, second):
        if isinstance(a, (list, dict, Row)) and a:
            assert a is not b
