"""What the decoder does with bytes that are not what the operator announced."""

import pyarrow as pa
import pytest
from codec_calls import decode, encode
from codec_types import schema_of
from column_calls import elements_of
from pyflink.common import Row, Types
from pyflink_async_batch._worker.batch_decoder import BatchDecoder, MalformedBatch
from pyflink_async_batch._worker.result_encoder import ResultEncoder

LONG = schema_of(Types.LONG())


def body(schema, *values):
    return encode(schema, list(values)).to_pybytes()


def test_another_row_count_is_refused():
    with pytest.raises(MalformedBatch, match="expected 3 rows, the body has 2"):
        decode(LONG, body(LONG, 1, 2), 3)


@pytest.mark.parametrize(
    ("type_info", "value"),
    [
        (Types.LONG(), 1),
        (Types.STRING(), "abc"),
        (Types.LIST(Types.STRING()), ["abc", "d"]),
        (Types.ROW([Types.MAP(Types.STRING(), Types.INT())]), Row({"a": 1, "b": None})),
    ],
)
def test_truncated_bodies_are_refused(type_info, value):
    schema = schema_of(type_info)
    whole = body(schema, value)
    # Trailing padding may be missing, so only what leaves out a value's own bytes must fail.
    for length in range(len(whole) - 8):
        with pytest.raises(MalformedBatch):
            decode(schema, whole[:length], 1)


def without_offsets(kind):
    """An empty column of lists or maps, with bytes behind its buffer that are no offset."""
    nowhere = pa.py_buffer(b"\xff" * 64).slice(0, 0)
    return pa.Array.from_buffers(kind, 0, [None, nowhere], children=[pa.nulls(0, entries_of(kind))])


def entries_of(kind):
    return (
        pa.struct([kind.key_field, kind.item_field]) if pa.types.is_map(kind) else kind.value_type
    )


@pytest.mark.parametrize(
    ("type_info", "value"),
    [
        (Types.MAP(Types.STRING(), Types.LIST(Types.LONG())), {}),
        (Types.MAP(Types.STRING(), Types.MAP(Types.STRING(), Types.LONG())), {}),
        (Types.LIST(Types.LIST(Types.LONG())), []),
        (Types.LIST(Types.MAP(Types.STRING(), Types.LONG())), []),
    ],
)
def test_an_empty_column_may_come_without_offsets(type_info, value):
    """As Arrow Java wrote it before 19. Arrow takes one from behind the buffer then."""
    schema = schema_of(type_info)
    kind = schema.field(0).type
    if pa.types.is_map(kind):
        parts = [pa.array([], kind.key_type), without_offsets(kind.item_type)]
        entries = pa.StructArray.from_arrays(parts, fields=[kind.key_field, kind.item_field])
    else:
        entries = without_offsets(kind.value_type)
    offsets = pa.py_buffer(bytes(8))
    column = pa.Array.from_buffers(kind, 1, [None, offsets], children=[entries])
    batch = pa.RecordBatch.from_arrays([column], schema=schema)
    assert BatchDecoder(schema).rows(batch) == [value]
    assert elements_of(type_info, column) == [value]
    assert elements_of(type_info, without_offsets(kind)) == []


def test_a_corrupt_offset_is_refused_instead_of_read():
    schema = schema_of(Types.STRING())
    whole = bytearray(body(schema, "abc", "def"))
    offsets = whole.index(b"\x00\x00\x00\x00\x03\x00\x00\x00\x06\x00\x00\x00")
    whole[offsets + 4 : offsets + 8] = b"\x00\x00\x00\x7f"
    with pytest.raises(MalformedBatch):
        decode(schema, whole, 2)


def test_null_where_none_is_allowed_is_refused():
    array = pa.array([1, None], pa.int64())
    whole = pa.RecordBatch.from_arrays([array], schema=LONG).serialize()
    with pytest.raises(MalformedBatch, match="null"):
        decode(LONG, whole, 2)


def test_a_schema_that_is_not_the_operators_is_refused():
    with pytest.raises(MalformedBatch, match=r"asyncbatch\.layout"):
        BatchDecoder(pa.schema([("value", pa.int64())]))
    with pytest.raises(MalformedBatch, match="cannot be read"):
        BatchDecoder(b"nothing")
    unknown = pa.field("value", pa.int64(), metadata={"asyncbatch.type": "NEWER"})
    with pytest.raises(MalformedBatch, match="NEWER"):
        ResultEncoder(pa.schema([unknown], metadata={"asyncbatch.layout": "VALUE"}))


def test_the_deepest_type_that_the_operator_sends():
    type_info, value = Types.LONG(), 7
    for _ in range(59):
        type_info, value = Types.LIST(type_info), [value]
    schema = schema_of(type_info).serialize().to_pybytes()
    whole = encode(schema, [value])
    assert decode(schema, whole, 1) == [value]
