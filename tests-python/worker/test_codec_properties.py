"""Random values of random types: they return, and they are what PyFlink's own coders return."""

from typing import Any

from codec_calls import decode, encode
from codec_strategies import Batch, batches
from codec_types import schema_of
from hypothesis import HealthCheck, given, settings
from pyflink.common import Row
from pyflink.common.typeinfo import (
    BasicArrayTypeInfo,
    BasicTypeInfo,
    DateTypeInfo,
    ListTypeInfo,
    LocalTimeTypeInfo,
    MapTypeInfo,
    ObjectArrayTypeInfo,
    PickledBytesTypeInfo,
    PrimitiveArrayTypeInfo,
    RowTypeInfo,
    TimestampTypeInfo,
    TimeTypeInfo,
    TupleTypeInfo,
    TypeInformation,
)
from pyflink.fn_execution import flink_fn_execution_pb2
from pyflink.fn_execution.coders import from_type_info_proto

NAMES = flink_fn_execution_pb2.TypeInfo

_LEAVES = {
    DateTypeInfo: "SQL_DATE",
    TimeTypeInfo: "SQL_TIME",
    TimestampTypeInfo: "SQL_TIMESTAMP",
    PickledBytesTypeInfo: "PICKLED_BYTES",
}
_LOCAL = {"LOCAL_DATE": "LOCAL_DATE", "LOCAL_TIME": "LOCAL_TIME"}
_LOCAL["LOCAL_DATE_TIME"] = "LOCAL_DATETIME"
_SEQUENCES = {
    PrimitiveArrayTypeInfo: "PRIMITIVE_ARRAY",
    BasicArrayTypeInfo: "BASIC_ARRAY",
    ObjectArrayTypeInfo: "OBJECT_ARRAY",
    ListTypeInfo: "LIST",
}


def proto_of(type_info: TypeInformation) -> Any:
    """What Flink's Java side tells its Python worker about the type."""
    proto = flink_fn_execution_pb2.TypeInfo()
    kind = type(type_info)
    if isinstance(type_info, BasicTypeInfo):
        proto.type_name = getattr(NAMES, type_info._basic_type.name)
    elif kind in _LEAVES:
        proto.type_name = getattr(NAMES, _LEAVES[kind])
    elif isinstance(type_info, LocalTimeTypeInfo):
        proto.type_name = getattr(NAMES, _LOCAL[type_info._time_type.name])
    elif kind in _SEQUENCES:
        proto.type_name = getattr(NAMES, _SEQUENCES[kind])
        element = type_info.elem_type if kind is ListTypeInfo else type_info._element_type
        proto.collection_element_type.CopyFrom(proto_of(element))
    elif isinstance(type_info, MapTypeInfo):
        proto.type_name = NAMES.MAP
        proto.map_type_info.key_type.CopyFrom(proto_of(type_info._key_type_info))
        proto.map_type_info.value_type.CopyFrom(proto_of(type_info._value_type_info))
    elif isinstance(type_info, TupleTypeInfo):
        proto.type_name = NAMES.TUPLE
        proto.tuple_type_info.field_types.extend(map(proto_of, type_info.get_field_types()))
    else:
        assert isinstance(type_info, RowTypeInfo)
        proto.type_name = NAMES.ROW
        for name, field in zip(type_info.get_field_names(), type_info.get_field_types()):
            added = proto.row_type_info.fields.add()
            added.field_name = name
            added.field_type.CopyFrom(proto_of(field))
    return proto


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal and of the same classes all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, Row):
        return (
            one.get_row_kind() == other.get_row_kind()
            and one._fields == other._fields
            and same(list(one), list(other))
        )
    return bool(one == other) and repr(one) == repr(other)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches())
def test_values_return(batch: Batch) -> None:
    schema = schema_of(batch.type_info)
    encoded = encode(schema.serialize().to_pybytes(), batch.values)
    decoded = decode(schema, encoded, len(batch.values))
    assert same(decoded, batch.values)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches())
def test_values_are_those_of_pyflinks_coders(batch: Batch) -> None:
    coder = from_type_info_proto(proto_of(batch.type_info)).get_impl()
    schema = schema_of(batch.type_info)
    encoded = encode(schema, batch.values)
    decoded = decode(schema, encoded, len(batch.values))
    assert same(decoded, [coder.decode(coder.encode(value)) for value in batch.values])
