"""Reads the operator's schema for a function on columns: what its columns are shown as.

The counterpart of :mod:`~pyflink_async_batch._worker.schema_types`, whose types make Python values.
"""

from typing import Callable, Dict, List, Sequence

import pyarrow as pa

from pyflink_async_batch._worker.column_types import (
    BigDecColumn,
    BigIntColumn,
    BinaryColumn,
    BooleanColumn,
    CharColumn,
    ColumnType,
    FloatingColumn,
    IntegerColumn,
    TemporalColumn,
    TextColumn,
)
from pyflink_async_batch._worker.element_type import MalformedBatch
from pyflink_async_batch._worker.nested_columns import (
    InstantColumn,
    MapColumn,
    Members,
    SequenceColumn,
    StructColumn,
)
from pyflink_async_batch._worker.schema_types import TYPE_KEY, logical_type

__all__ = ["column_type", "members"]

_SCALARS: Dict[str, Callable[[pa.DataType, str, bool, str], ColumnType]] = {
    "BOOLEAN": BooleanColumn,
    "BYTE": IntegerColumn,
    "SHORT": IntegerColumn,
    "INT": IntegerColumn,
    "LONG": IntegerColumn,
    "FLOAT": FloatingColumn,
    "DOUBLE": FloatingColumn,
    "CHAR": CharColumn,
    "STRING": TextColumn,
    "BIG_INT": BigIntColumn,
    "BIG_DEC": BigDecColumn,
    "SQL_DATE": TemporalColumn,
    "SQL_TIME": TemporalColumn,
    "SQL_TIMESTAMP": TemporalColumn,
    "LOCAL_DATE": TemporalColumn,
    "LOCAL_TIME": TemporalColumn,
    "LOCAL_DATETIME": TemporalColumn,
    "BYTES": BinaryColumn,
    "BYTE_LIST": BinaryColumn,
}

_SEQUENCES = frozenset({"PRIMITIVE_ARRAY", "BASIC_ARRAY", "OBJECT_ARRAY", "LIST"})


def column_type(field: pa.Field, path: str = "") -> ColumnType:
    """Builds the column type of a field.

    :param path: of the field from the element
    :raise MalformedBatch: naming a logical type that has no columns, as a pickled one
    """
    name = logical_type(field.metadata, TYPE_KEY)
    kind, nullable = field.type, field.nullable
    if name in _SCALARS:
        return _SCALARS[name](kind, name, nullable, path)
    if name in _SEQUENCES:
        element = column_type(kind.value_field, path + "[]")
        return SequenceColumn(kind, name, nullable, path, element)
    if name == "MAP":
        key = column_type(kind.key_field, path + "{key}")
        value = column_type(kind.item_field, path + "{value}")
        return MapColumn(kind, name, nullable, path, key, value)
    if name in ("TUPLE", "ROW"):
        fields = [kind.field(i) for i in range(kind.num_fields)]
        return StructColumn(kind, name, nullable, path, members(name, fields, path))
    if name == "INSTANT":
        # The parts of an instant have no logical types of their own.
        parts = [
            IntegerColumn(kind.field(i).type, name, False, f"{path}.{kind.field(i).name}")
            for i in range(kind.num_fields)
        ]
        names = [kind.field(i).name for i in range(kind.num_fields)]
        return InstantColumn(kind, name, nullable, path, Members(names, parts, False))
    raise MalformedBatch(f"the schema has a field of the type {name}, which has no columns")


def members(name: str, fields: Sequence[pa.Field], path: str = "") -> Members:
    """Builds the columns of a row or tuple; the first field of a row is its kind."""
    shown: List[pa.Field] = list(fields[1:] if name == "ROW" else fields)
    prefix = f"{path}." if path else ""
    types = [column_type(field, prefix + field.name) for field in shown]
    return Members([field.name for field in shown], types, name == "ROW")
