"""What a function on columns is given, what it may return, and how the rest is refused."""

import datetime
import pickle
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from codec_calls import decode
from codec_strategies import Batch, column_batches
from codec_types import LOCAL_DATE, LOCAL_DATETIME, LOCAL_TIME, schema_of
from column_calls import METHOD, body_of, elements_of, encoded, shown, view_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyflink.common import Row, RowKind, Types
from pyflink.common.time import Instant
from pyflink_async_batch import AsyncBatchFunction, tensors
from pyflink_async_batch._worker.batch_decoder import BatchDecoder, MalformedBatch
from pyflink_async_batch._worker.column_view import ColumnView, MisfitColumnError
from pyflink_async_batch._worker.nested_columns import RowKindError
from pyflink_async_batch._worker.result_check import InvalidResultError
from pyflink_async_batch._worker.result_encoder import MisfitResultError, ResultEncoder
from test_codec_properties import same

PAIR = Types.ROW_NAMED(["a", "b"], [Types.INT(), Types.STRING()])
FLOATS = Types.PRIMITIVE_ARRAY(Types.FLOAT())
BYTES = Types.PRIMITIVE_ARRAY(Types.BYTE())
LONGS = Types.LIST(Types.LONG())
NESTED = Types.ROW_NAMED(["p", "q"], [Types.LONG(), Types.LIST(PAIR)])


def address_of(column: pa.Array, buffer: int = -1) -> int:
    return int(column.buffers()[buffer].address)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(column_batches())
def test_what_the_identity_returns_are_the_elements(batch: Batch) -> None:
    columns = shown(batch.type_info, batch.values)
    assert same(elements_of(batch.type_info, columns), batch.values)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(column_batches())
def test_a_slice_is_its_rows(batch: Batch) -> None:
    columns = shown(batch.type_info, batch.values)
    middle = columns.slice(1, max(0, len(columns) - 2))
    assert same(elements_of(batch.type_info, middle), batch.values[1:-1])


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(column_batches(), st.integers(0, 3))
def test_what_is_joined_and_parted_is_what_it_was(batch: Batch, split: int) -> None:
    view = view_of(batch.type_info)
    pieces = [batch.values[:split], batch.values[split:]]
    counts = [len(piece) for piece in pieces]
    joined = view.join([shown(batch.type_info, piece) for piece in pieces])
    results = view.check(joined, METHOD, len(batch.values))
    parted = view.part(results, counts)
    for piece, part in zip(pieces, parted):
        assert same(elements_of(batch.type_info, part), piece)


def test_arrays_of_numpy_are_parted() -> None:
    view = view_of(FLOATS)
    results = np.arange(12, dtype=np.float32).reshape(4, 3)
    first, second = view.part(view.check(results, METHOD, 4), [1, 3])
    assert [list(row) for row in elements_of(FLOATS, first)] == [[0, 1, 2]]
    assert [list(row) for row in elements_of(FLOATS, second)] == [
        [3, 4, 5],
        [6, 7, 8],
        [9, 10, 11],
    ]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(column_batches())
def test_results_are_encoded_as_the_row_path_encodes_them(batch: Batch) -> None:
    columns = shown(batch.type_info, batch.values)
    by_rows = ResultEncoder(schema_of(batch.type_info)).encode(batch.values)
    by_columns = encoded(batch.type_info, columns)
    assert by_columns.schema.equals(by_rows.schema, check_metadata=True)
    assert by_columns.equals(by_rows)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(column_batches())
def test_what_pyarrow_makes_of_python_values_is_taken(batch: Batch) -> None:
    """Nullable everywhere, in chunks, and without the schema's names for items."""
    columns = shown(batch.type_info, batch.values)
    if isinstance(columns, pa.RecordBatch):
        loose = pa.Table.from_batches([columns.slice(0, 1), columns.slice(1)])
        loose = pa.table(dict(zip(loose.column_names, loose.columns)))
        loose = loose.select(list(reversed(loose.column_names)))
    else:
        loose = pa.chunked_array([columns.slice(0, 1), columns.slice(1)])
    assert same(elements_of(batch.type_info, loose), batch.values)


class TestInputs:
    def test_single_values_are_an_array(self) -> None:
        column = shown(Types.LONG(), [1, 2])
        assert column.equals(pa.array([1, 2], pa.int64()))

    def test_rows_are_a_record_batch_without_their_kind(self) -> None:
        batch = shown(PAIR, [Row(1, "x"), Row(None, None)])
        expected = pa.schema([("a", pa.int32()), ("b", pa.string())])
        assert batch.schema.equals(expected, check_metadata=True)
        assert batch.to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": None}]

    def test_rows_in_rows_have_no_kind_either(self) -> None:
        batch = shown(NESTED, [Row(1, [Row(2, "x"), Row(None, "y")]), Row(3, None)])
        assert batch.to_pylist() == [
            {"p": 1, "q": [{"a": 2, "b": "x"}, {"a": None, "b": "y"}]},
            {"p": 3, "q": None},
        ]

    def test_tuples_are_a_record_batch(self) -> None:
        batch = shown(Types.TUPLE([Types.INT(), Types.STRING()]), [(1, "x")])
        assert batch.to_pylist() == [{"f0": 1, "f1": "x"}]
        assert not batch.schema.field("f0").nullable

    @pytest.mark.parametrize(
        ("type_info", "path"),
        [(PAIR, []), (NESTED, ["q"])],
        ids=["row", "nested row"],
    )
    def test_a_row_that_is_no_insert_is_refused(self, type_info: Any, path: "list[str]") -> None:
        deleted = Row.of_kind(RowKind.DELETE, 1, "x")
        row = Row(1, [Row(1, "x"), deleted]) if path else deleted
        ordinary = Row(1, []) if path else Row(1, "x")
        with pytest.raises(RowKindError, match=r"Row 1 of the batch is of kind DELETE"):
            shown(type_info, [ordinary, row])

    def test_a_null_that_the_operator_never_sends_is_refused(self) -> None:
        schema = schema_of(LONGS)
        lists = pa.array([[1, None]], pa.list_(pa.int64())).cast(pa.list_(pa.int64()))
        wire = pa.Array.from_buffers(
            schema.field(0).type,
            1,
            lists.buffers()[:2],
            children=[lists.values],
        )
        body = pa.RecordBatch.from_arrays([wire], schema=schema).serialize()
        batch = BatchDecoder(schema).read(body, 1)
        with pytest.raises(MalformedBatch, match="LONG is null"):
            view_of(LONGS).inputs(batch)

    @pytest.mark.parametrize(
        ("type_info", "value"),
        [
            (Types.LONG(), 7),
            (BYTES, b"abc"),
            (FLOATS, [1.5]),
            (Types.ROW([FLOATS]), Row([1.5])),
            (Types.ROW([PAIR]), Row(Row(1, "x"))),
        ],
    )
    def test_columns_lie_in_the_body(self, type_info: Any, value: Any) -> None:
        body = pa.py_buffer(body_of(type_info, [value]))
        columns = view_of(type_info).inputs(BatchDecoder(schema_of(type_info)).read(body, 1))
        column = columns if isinstance(columns, pa.Array) else columns.column(0)
        assert body.address <= address_of(column) < body.address + body.size
        assert not column.buffers()[-1].is_mutable

    def test_the_default_timeout_names_the_number_of_inputs(self) -> None:
        class Identity(AsyncBatchFunction[Any, Any]):
            async def async_invoke_batch(self, inputs: Any) -> Any:
                return inputs

        with pytest.raises(TimeoutError, match="a batch of 2 inputs"):
            Identity().timeout_batch(shown(PAIR, [Row(1, "x"), Row(2, "y")]))

    @pytest.mark.parametrize(
        "type_info",
        [
            Types.PICKLED_BYTE_ARRAY(),
            Types.ROW([Types.MAP(Types.STRING(), Types.PICKLED_BYTE_ARRAY())]),
        ],
    )
    def test_pickled_elements_have_no_columns(self, type_info: Any) -> None:
        schema = schema_of(type_info)
        with pytest.raises(MalformedBatch, match="PICKLED, which has no columns"):
            ColumnView(schema, schema_of(Types.LONG()))


STRIDED = np.arange(12, dtype=np.float32)[::2].reshape(2, 3)
TENSORS = pa.ExtensionArray.from_storage(
    pa.fixed_shape_tensor(pa.float32(), [2, 2]),
    pa.FixedSizeListArray.from_arrays(pa.array(np.arange(8, dtype=np.float32)), 4),
)

ACCEPTED = [
    (Types.BOOLEAN(), np.array([True, False]), [True, False]),
    (Types.LONG(), np.array([1, 2]), [1, 2]),
    (Types.LONG(), np.array([1, 2], ">i4"), [1, 2]),
    (Types.LONG(), np.array([1, 2], np.uint64)[::-1], [2, 1]),
    (Types.LONG(), pa.array([1, 2], pa.int8()), [1, 2]),
    (Types.LONG(), pa.array([7, 8, 7]).dictionary_encode(), [7, 8, 7]),
    (Types.BYTE(), pa.array([127, -128]), [127, -128]),
    (Types.CHAR(), pa.array([97, 8364]), ["a", "€"]),
    (Types.DOUBLE(), np.array([0.5, 1.5], np.float16), [0.5, 1.5]),
    (Types.DOUBLE(), pa.array([1, 2**53]), [1.0, float(2**53)]),
    (Types.FLOAT(), np.array([0.1, float("inf")]), [float(np.float32(0.1)), float("inf")]),
    (Types.FLOAT(), pa.array([2**24]), [float(2**24)]),
    (Types.STRING(), pa.array(["a", "ä"], pa.large_string()), ["a", "ä"]),
    (Types.STRING(), pa.array(["a", "b", "a"]).dictionary_encode(), ["a", "b", "a"]),
    (Types.STRING(), np.array(["a", "bc"]), ["a", "bc"]),
    (
        Types.BIG_DEC(),
        pa.array([Decimal("1.10"), Decimal("-2.50")]),
        [Decimal("1.10"), Decimal("-2.50")],
    ),
    (
        Types.BIG_DEC(),
        pa.array(["1E+2000000000", ".5"]),
        [Decimal("1E+2000000000"), Decimal("0.5")],
    ),
    (Types.BIG_INT(), pa.array([b"\xff", b"\x00\x80"]), [-1, 128]),
    (
        Types.SQL_DATE(),
        pa.array([datetime.date(2020, 2, 29)], pa.date64()),
        [datetime.date(2020, 2, 29)],
    ),
    (Types.SQL_TIME(), pa.array([2000], pa.time64("us")), [datetime.time(0, 0, 0, 2000)]),
    (Types.SQL_TIME(), pa.array([61], pa.time32("s")), [datetime.time(0, 1, 1)]),
    (LOCAL_TIME, pa.array([61], pa.time32("s")), [datetime.time(0, 1, 1)]),
    (LOCAL_DATE, pa.nulls(2), [None, None]),
    (LOCAL_DATETIME, np.array(["2020-01-01"], "M8[s]"), [datetime.datetime(2020, 1, 1)]),
    (
        LOCAL_DATETIME,
        pa.array([1000, None], pa.timestamp("ns")),
        [datetime.datetime(1970, 1, 1, 0, 0, 0, 1), None],
    ),
    (Types.INSTANT(), pa.array([{"nanos": 7, "seconds": 5}, None]), [Instant(5, 7), None]),
    (BYTES, pa.array([b"ab", b""], pa.large_binary()), [b"ab", b""]),
    (BYTES, pa.array([b"zz", b"ab", b"cd"], pa.binary(2)).slice(1), [b"ab", b"cd"]),
    (BYTES, pa.array([[0], [1, 255], []], pa.list_(pa.uint8())).slice(1), [b"\x01\xff", b""]),
    (Types.LIST(Types.BYTE()), pa.array([[-1]], pa.large_list(pa.int8())), [b"\xff"]),
    (BYTES, np.arange(8, dtype=np.uint8).reshape(2, 2, 2), [b"\0\1\2\3", b"\4\5\6\7"]),
    (BYTES, np.zeros((2, 0), np.uint8), [b"", b""]),
    (FLOATS, STRIDED, [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]),
    (
        FLOATS,
        np.arange(8, dtype=np.float32).reshape(2, 2, 2),
        [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]],
    ),
    (FLOATS, np.zeros((0, 3), np.float32), []),
    (FLOATS, TENSORS, [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]),
    (
        FLOATS,
        pa.chunked_array([TENSORS, TENSORS.slice(1)]),
        [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [4.0, 5.0, 6.0, 7.0]],
    ),
    (
        FLOATS,
        pa.array([[9], [1], [2, 3]], pa.large_list(pa.float64())).slice(1),
        [[1.0], [2.0, 3.0]],
    ),
    (LONGS, pa.FixedSizeListArray.from_arrays(pa.array(range(6)), 2).slice(1), [[2, 3], [4, 5]]),
    (Types.BASIC_ARRAY(Types.LONG()), pa.array([[1, None], []]), [[1, None], []]),
    (
        Types.MAP(Types.STRING(), Types.LONG()),
        pa.array([[("z", 9)], [("a", None)], []], pa.map_(pa.string(), pa.int8())).slice(1),
        [{"a": None}, {}],
    ),
]


@pytest.mark.parametrize(("type_info", "results", "elements"), ACCEPTED, ids=range(len(ACCEPTED)))
def test_accepted(type_info: Any, results: Any, elements: Any) -> None:
    decoded = elements_of(type_info, results)
    assert same(decoded, elements)


def test_fields_go_by_name() -> None:
    rows = elements_of(PAIR, pa.record_batch({"b": pa.array(["x", None]), "a": pa.array([1, 2])}))
    assert [(row.a, row.b, row.get_row_kind()) for row in rows] == [
        (1, "x", RowKind.INSERT),
        (2, None, RowKind.INSERT),
    ]


def test_members_go_by_name_and_null_structs_hold_anything() -> None:
    structs = pa.StructArray.from_arrays(
        [pa.array(["x", "y", "z"]), pa.array([1, 2**40, 3])],
        names=["b", "a"],
        mask=pa.array([False, True, False]),
    )
    rows = elements_of(Types.ROW([PAIR]), pa.record_batch({"f0": structs}))
    assert [row.f0 and tuple(row.f0) for row in rows] == [(1, "x"), None, (3, "z")]


def test_null_lists_hold_anything() -> None:
    """Also values that would be refused, if a null list had any."""
    offsets, items = pa.array([0, 1, 3, 4], pa.int32()), pa.array([1, None, 2**40, 2])
    validity = pa.py_buffer(b"\x05")
    column = pa.Array.from_buffers(
        pa.list_(pa.int64()), 3, [validity, offsets.buffers()[1]], children=[items]
    )
    rows = elements_of(Types.ROW([Types.LIST(Types.INT())]), pa.record_batch({"f0": column}))
    assert [row.f0 for row in rows] == [[1], None, [2]]


REFUSED = [
    (Types.LONG(), pa.array([1.0, 2.0]), None, "", "a column of double"),
    (Types.LONG(), np.array([1.0]), None, "", "a column of double"),
    (Types.LONG(), pa.array([True]), None, "", "a column of bool"),
    (Types.LONG(), pa.array([1, None]), 1, "", "None"),
    (Types.LONG(), pa.nulls(2), 0, "", "None"),
    (Types.LONG(), np.zeros((2, 1), np.int64), None, "", "a column of list"),
    (Types.LONG(), np.array(["2020-01-01"], "M8[D]"), None, "", "a column of date32"),
    (Types.BYTE(), pa.array([1, 128]), None, "", "Integer value 128 not in range"),
    (Types.LONG(), pa.array([2**63], pa.uint64()), None, "", "9223372036854775808"),
    (Types.BOOLEAN(), pa.array([1]), None, "", "a column of int64"),
    (Types.CHAR(), pa.array([97, 0xD800], pa.uint16()), 1, "", "U+D800"),
    (Types.CHAR(), pa.array(["a"]), None, "", "a column of string"),
    (Types.FLOAT(), np.array([0.5, 1e39]), 1, "", "1e+39, beyond its range"),
    (Types.FLOAT(), pa.array([2**24 + 1]), None, "", "16777217"),
    (Types.DOUBLE(), pa.array([2**53 + 1]), None, "", "9007199254740993"),
    (Types.DOUBLE(), pa.array([Decimal("0.1")]), None, "", "a column of decimal128"),
    (Types.STRING(), pa.array([b"a"]), None, "", "a column of binary"),
    (Types.STRING(), pa.array(["a", None]), 1, "", "None"),
    (Types.BIG_DEC(), pa.array(["1.5", "NaN"]), 1, "", "str 'NaN'"),
    (Types.BIG_DEC(), pa.array(["1_0"]), 0, "", "str '1_0'"),
    (Types.BIG_DEC(), pa.array(["1E+3000000000"]), 0, "", "str '1E+3000000000'"),
    (Types.BIG_DEC(), pa.array(["1E" + "9" * 2000]), 0, "", "str '1E"),
    (Types.BIG_INT(), pa.array([b"a", b""]), 1, "", "no bytes"),
    (Types.BIG_INT(), pa.array([1]), None, "", "a column of int64"),
    (Types.SQL_DATE(), pa.array([0, 2932897], pa.date32()), 1, "", "outside of the years 1 to"),
    (Types.SQL_DATE(), pa.array([0], pa.timestamp("s")), None, "", "a column of timestamp[s]"),
    (Types.SQL_TIME(), pa.array([1], pa.time64("us")), None, "", "would lose data"),
    (LOCAL_DATETIME, pa.array([1], pa.timestamp("ns")), None, "", "would lose data"),
    (LOCAL_DATETIME, pa.array([0], pa.timestamp("us", "UTC")), None, "", "tz=UTC"),
    (LOCAL_DATETIME, pa.array([2**62], pa.timestamp("us")), 0, "", "outside of the years"),
    (Types.INSTANT(), pa.array([0], pa.timestamp("us")), None, "", "a column of timestamp[us]"),
    (Types.INSTANT(), pa.array([None, {"seconds": 0, "nanos": 10**9}]), 1, "", "nanos=1000000000"),
    (Types.INSTANT(), pa.array([{"seconds": 2**62, "nanos": 0}]), 0, "", "seconds=46116860184273"),
    (Types.INSTANT(), pa.array([{"seconds": None, "nanos": 0}]), 0, ".seconds", "None"),
    (Types.INSTANT(), pa.array([{"seconds": 0}]), None, "", "fields ['seconds'] instead of"),
    (BYTES, pa.array(["a"]), None, "", "a column of string"),
    (BYTES, pa.array([[1]], pa.list_(pa.int16())), None, "", "a column of list<item: int16>"),
    (BYTES, pa.array([[], [1, None]], pa.list_(pa.uint8())), 1, "", "None in it"),
    (LONGS, pa.array([1]), None, "", "a column of int64"),
    (LONGS, pa.array([[1], None]), 1, "", "None"),
    (LONGS, pa.array([[1, 2], [], [3, None]]), 2, "[]", "None"),
    (LONGS, pa.array([[1.5]]), None, "[]", "a column of double"),
    (FLOATS, np.array([1.5]), None, "", "a column of double"),
    (FLOATS, np.array([[1, 2], [3, 1e39]]), 1, "[]", "1e+39"),
    (
        Types.MAP(Types.STRING(), Types.INT()),
        pa.array([[("a", 2**40)]], pa.map_(pa.string(), pa.int64())),
        None,
        "{value}",
        "1099511627776",
    ),
    (Types.MAP(Types.STRING(), Types.BYTE()), pa.array([{"a": 1}]), None, "", "a column of struct"),
    (
        Types.TUPLE([Types.INT(), Types.INT()]),
        pa.record_batch({"f0": [1, 2], "f1": [3, None]}),
        1,
        "f1",
        "None",
    ),
    (PAIR, pa.record_batch({"a": ["x"], "b": ["y"]}), None, "a", "a column of string"),
    (
        NESTED,
        pa.record_batch({"p": [1, 2], "q": [None, [{"a": 1, "b": 5}]]}),
        None,
        "q[].b",
        "a column of int64",
    ),
    (
        NESTED,
        pa.record_batch({"p": [1], "q": [[{"a": 1, "c": "x"}]]}),
        None,
        "q[]",
        "fields ['a', 'c'] instead of ['a', 'b']",
    ),
    (
        Types.ROW([Types.TUPLE([Types.INT()])]),
        pa.record_batch({"f0": [None, {"f0": 1}, None, {"f0": None}]}),
        3,
        "f0.f0",
        "None",
    ),
    (
        Types.ROW([Types.LIST(Types.TUPLE([Types.CHAR()]))]),
        pa.record_batch({"f0": [[], None, [{"f0": 97}], [{"f0": 97}, {"f0": 0xDFFF}]]}),
        3,
        "f0[].f0",
        "U+DFFF",
    ),
]


@pytest.mark.parametrize(
    ("type_info", "results", "index", "path", "found"), REFUSED, ids=range(len(REFUSED))
)
def test_refused(type_info: Any, results: Any, index: Any, path: str, found: str) -> None:
    with pytest.raises(InvalidResultError) as caught:
        encoded(type_info, results)
    error: Any = caught.value
    assert type(error) is (MisfitColumnError if index is None else MisfitResultError)
    assert error.path == path
    assert found in error.found
    assert found in str(error)
    assert error.expected in str(error)
    assert index is None or error.index == index
    assert len(str(error)) < 500


@pytest.mark.parametrize(
    ("type_info", "results", "said"),
    [
        (Types.LONG(), None, "cannot be none: it should be a pyarrow.Array"),
        (Types.LONG(), [1, 2], "type 'list'. Make an array of it with 'pyarrow.array'"),
        (Types.LONG(), (1, 2), "type 'tuple'. Make an array"),
        (Types.LONG(), pa.record_batch({"value": [1, 2]}), "RecordBatch'. A single column is"),
        (Types.LONG(), pd.Series([1, 2]), "Series'. Call its method 'to_numpy'"),
        (Types.LONG(), pa.array([1]), "one row for each of the 2 inputs, but has 1"),
        (Types.LONG(), np.zeros(3), "one row for each of the 2 inputs, but has 3"),
        (Types.LONG(), np.array(1), "one row for each of the 2 inputs, but has no dimension"),
        (PAIR, pa.array([1, 2]), "should be a pyarrow.RecordBatch or pyarrow.Table"),
        (PAIR, [Row(1, "x"), Row(2, "y")], "of type 'list'"),
        (PAIR, {"a": [1, 2]}, "of type 'dict'"),
        (PAIR, pa.record_batch({"a": [1]}), "has 1"),
    ],
)
def test_other_objects_and_lengths_are_refused(type_info: Any, results: Any, said: str) -> None:
    with pytest.raises(InvalidResultError) as caught:
        view_of(type_info).check(results, METHOD, 2)
    assert str(caught.value).startswith(f"The result of '{METHOD}' ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["a"], [pa.array([1])]),
        (["a", "c"], [pa.array([1]), pa.array(["x"])]),
        (["a", "a"], [pa.array([1]), pa.array([2])]),
        (["a", "b", "row_kind"], [pa.array([1]), pa.array(["x"]), pa.array([0], pa.int8())]),
    ],
)
def test_other_fields_are_refused(names: "list[str]", columns: "list[Any]") -> None:
    batch = pa.RecordBatch.from_arrays(columns, names=names)
    with pytest.raises(InvalidResultError) as caught:
        encoded(PAIR, batch)
    assert f"fields {names} instead of ['a', 'b']" in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        np.array([1, "a"], object),
        np.array([b"ab"]),
        np.ma.array([1, 2], mask=[True, False]),
        np.array([(1, 2)], "i4,i4"),
        np.array([1j]),
    ],
    ids=["object", "bytes", "masked", "struct", "complex"],
)
def test_arrays_of_numpy_that_are_no_column_are_refused(values: Any) -> None:
    with pytest.raises(InvalidResultError, match="The results make no column: expected"):
        encoded(Types.LONG(), values)


class TestInvalidArrowData:
    """Arrays whose buffers lie about each other never reach the JVM, nor Arrow's kernels."""

    def refused(self, type_info: Any, column: Any) -> None:
        with pytest.raises(InvalidResultError, match="no valid Arrow data"):
            encoded(type_info, column)

    def test_offsets_beyond_the_data(self) -> None:
        offsets = pa.py_buffer(np.array([0, 2**30, 1], np.int32))
        column = pa.Array.from_buffers(pa.binary(), 2, [None, offsets, pa.py_buffer(b"a")])
        self.refused(BYTES, column)
        self.refused(BYTES, pa.chunked_array([column, column]))
        self.refused(Types.ROW([BYTES]), pa.record_batch({"f0": column}))

    def test_decreasing_offsets(self) -> None:
        offsets = pa.py_buffer(np.array([0, 4, 2], np.int32))
        column = pa.Array.from_buffers(
            pa.list_(pa.int64()), 2, [None, offsets], children=[pa.array([1, 2, 3, 4])]
        )
        self.refused(LONGS, column)

    def test_text_that_is_no_utf8(self) -> None:
        offsets = pa.py_buffer(np.array([0, 2], np.int32))
        column = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"\xff\xfe")])
        self.refused(Types.STRING(), column)

    @pytest.mark.parametrize(
        ("type_info", "column"),
        [
            (Types.SQL_TIME(), pa.array([-1], pa.time32("ms"))),
            (LOCAL_TIME, pa.array([86_400_000_000], pa.time64("us"))),
        ],
    )
    def test_times_outside_of_a_day(self, type_info: Any, column: Any) -> None:
        self.refused(type_info, column)

    def test_indices_beyond_the_dictionary(self) -> None:
        column = pa.DictionaryArray.from_arrays(pa.array([0, 5]), pa.array([7]), safe=False)
        self.refused(Types.LONG(), column)


class TestResultsAreNotCopied:
    def test_an_array_of_the_type_on_the_wire(self) -> None:
        column = pa.array([1, 2])
        assert address_of(encoded(Types.LONG(), column).column(0)) == address_of(column)

    @pytest.mark.parametrize("shape", [(2, 6), (2, 3, 2)])
    def test_an_array_of_numpy(self, shape: Any) -> None:
        values = np.arange(12, dtype=np.float32).reshape(shape)
        column = encoded(FLOATS, values).column(0)
        assert address_of(column) == values.ctypes.data

    def test_fixed_shape_tensors(self) -> None:
        column = encoded(FLOATS, TENSORS).column(0)
        assert address_of(column) == address_of(TENSORS.storage)

    def test_images_as_bytes(self) -> None:
        values = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
        column = encoded(BYTES, values).column(0)
        assert address_of(column) == values.ctypes.data

    def test_a_slice(self) -> None:
        values = np.arange(12, dtype=np.float32).reshape(4, 3)
        column = encoded(FLOATS, tensors.column_of(values).slice(1)).column(0)
        assert address_of(column.flatten().slice(0, 0), 1) == values.ctypes.data
        assert column.flatten().offset == 3


def test_the_error_of_a_column_pickles() -> None:
    error = pickle.loads(pickle.dumps(MisfitColumnError("a", "LONG", "a column of string")))
    assert (error.path, error.expected) == ("a", "LONG")
    assert "at field 'a': expected LONG, got a column of string" in str(error)


def test_what_leaves_is_what_java_reads() -> None:
    """The batch as bytes: from offset 0, with the schema's types and names."""
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    whole = encoded(FLOATS, tensors.column_of(values).slice(2)).serialize()
    assert decode(schema_of(FLOATS), whole, 2) == values[2:].tolist()
