"""Builds, for PyFlink's type information, the schema that the operator's ArrowSchemas builds.

That both agree is itself tested, on the golden schemas.
"""

from typing import Any, List, Optional

import pyarrow as pa
from pyflink.common.typeinfo import (
    BasicArrayTypeInfo,
    BasicType,
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
    Types,
)

LOCAL_DATE = LocalTimeTypeInfo(LocalTimeTypeInfo.TimeType.LOCAL_DATE)
LOCAL_TIME = LocalTimeTypeInfo(LocalTimeTypeInfo.TimeType.LOCAL_TIME)
LOCAL_DATETIME = LocalTimeTypeInfo(LocalTimeTypeInfo.TimeType.LOCAL_DATE_TIME)

_INCLUDE_NULL = {"INSTANT", "LOCAL_DATE", "LOCAL_TIME", "LOCAL_DATETIME"}

_BASIC = {
    BasicType.BOOLEAN: ("BOOLEAN", pa.bool_()),
    BasicType.BYTE: ("BYTE", pa.int8()),
    BasicType.SHORT: ("SHORT", pa.int16()),
    BasicType.INT: ("INT", pa.int32()),
    BasicType.LONG: ("LONG", pa.int64()),
    BasicType.FLOAT: ("FLOAT", pa.float32()),
    BasicType.DOUBLE: ("DOUBLE", pa.float64()),
    BasicType.CHAR: ("CHAR", pa.uint16()),
    BasicType.STRING: ("STRING", pa.string()),
    BasicType.BIG_INT: ("BIG_INT", pa.binary()),
    BasicType.BIG_DEC: ("BIG_DEC", pa.string()),
    BasicType.INSTANT: (
        "INSTANT",
        pa.struct(
            [
                pa.field("seconds", pa.int64(), nullable=False),
                pa.field("nanos", pa.int32(), nullable=False),
            ]
        ),
    ),
}

_LOCAL = {
    LocalTimeTypeInfo.TimeType.LOCAL_DATE: ("LOCAL_DATE", pa.date32()),
    LocalTimeTypeInfo.TimeType.LOCAL_TIME: ("LOCAL_TIME", pa.time64("us")),
    LocalTimeTypeInfo.TimeType.LOCAL_DATE_TIME: ("LOCAL_DATETIME", pa.timestamp("us")),
}


def schema_of(type_info: TypeInformation) -> pa.Schema:
    """The schema of batches of the type."""
    if isinstance(type_info, RowTypeInfo):
        return pa.schema(_row_fields(type_info), metadata={"asyncbatch.layout": "ROW"})
    if isinstance(type_info, TupleTypeInfo):
        return pa.schema(_tuple_fields(type_info), metadata={"asyncbatch.layout": "TUPLE"})
    return pa.schema([_field("value", type_info)], metadata={"asyncbatch.layout": "VALUE"})


def _field(name: str, type_info: TypeInformation, nullable: bool = False) -> pa.Field:
    logical, arrow_type = _column(type_info)
    return pa.field(
        name,
        arrow_type,
        nullable or logical in _INCLUDE_NULL,
        metadata={"asyncbatch.type": logical},
    )


def _column(type_info: TypeInformation) -> Any:
    if isinstance(type_info, BasicTypeInfo):
        return _BASIC[type_info._basic_type]
    if isinstance(type_info, DateTypeInfo):
        return "SQL_DATE", pa.date32()
    if isinstance(type_info, TimeTypeInfo):
        return "SQL_TIME", pa.time32("ms")
    if isinstance(type_info, TimestampTypeInfo):
        return "SQL_TIMESTAMP", pa.timestamp("us")
    if isinstance(type_info, LocalTimeTypeInfo):
        return _LOCAL[type_info._time_type]
    if isinstance(type_info, PickledBytesTypeInfo):
        return "PICKLED", pa.binary()
    if isinstance(type_info, PrimitiveArrayTypeInfo):
        if type_info._element_type == Types.BYTE():
            return "BYTES", pa.binary()
        return "PRIMITIVE_ARRAY", pa.list_(_field("item", type_info._element_type))
    if isinstance(type_info, ListTypeInfo):
        if type_info.elem_type == Types.BYTE():
            return "BYTE_LIST", pa.binary()
        return "LIST", pa.list_(_field("item", type_info.elem_type))
    if isinstance(type_info, BasicArrayTypeInfo):
        return "BASIC_ARRAY", pa.list_(_field("item", type_info._element_type, True))
    if isinstance(type_info, ObjectArrayTypeInfo):
        return "OBJECT_ARRAY", pa.list_(_field("item", type_info._element_type, True))
    if isinstance(type_info, MapTypeInfo):
        key = _field("key", type_info._key_type_info).with_nullable(False)
        return "MAP", pa.map_(key, _field("value", type_info._value_type_info, True))
    if isinstance(type_info, TupleTypeInfo):
        return "TUPLE", pa.struct(_tuple_fields(type_info))
    assert isinstance(type_info, RowTypeInfo)
    return "ROW", pa.struct(_row_fields(type_info))


def _tuple_fields(type_info: TupleTypeInfo) -> List[pa.Field]:
    return [_field(f"f{i}", t) for i, t in enumerate(type_info.get_field_types())]


def _row_fields(type_info: RowTypeInfo) -> List[pa.Field]:
    types = type_info.get_field_types()
    names: Optional[List[str]] = type_info._field_names
    if names is None:
        names = [f"f{i}" for i in range(len(types))]
    kind = "row_kind"
    while kind in names:
        kind = "$" + kind
    return [
        pa.field(kind, pa.int8(), False, metadata={"asyncbatch.type": "ROW_KIND"}),
        *(_field(n, t, True) for n, t in zip(names, types)),
    ]
