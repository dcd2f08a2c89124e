"""Reads the operator's schema: which type each field has, and how columns make an element.

The schema names each field's logical type in the field's metadata, and in its own how its columns
are laid out, so the types are built from it alone. Here live the two keys, the tables of the types
by name, the functions that build them, and :class:`Layout`, which a batch goes through both ways.
"""

from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import pyarrow as pa

from pyflink_async_batch._worker.element_type import ElementType, MalformedBatch
from pyflink_async_batch._worker.nested_types import (
    CompositeType,
    Fields,
    MapType,
    RowType,
    SequenceType,
    TupleType,
)
from pyflink_async_batch._worker.scalar_types import (
    BigDecType,
    BigIntType,
    BooleanType,
    ByteListType,
    BytesType,
    CharType,
    DateType,
    FloatingType,
    InstantType,
    IntegerType,
    PickledType,
    StringType,
    TimestampType,
    TimeType,
)

__all__ = ["Layout", "composite_type", "element_type", "logical_type", "read_schema"]

TYPE_KEY = b"asyncbatch.type"
LAYOUT_KEY = b"asyncbatch.layout"

_SCALARS: Dict[str, Callable[[pa.DataType, str], ElementType]] = {
    "BOOLEAN": BooleanType,
    "BYTE": IntegerType,
    "SHORT": IntegerType,
    "INT": IntegerType,
    "LONG": IntegerType,
    "FLOAT": FloatingType,
    "DOUBLE": FloatingType,
    "CHAR": CharType,
    "STRING": StringType,
    "BIG_INT": BigIntType,
    "BIG_DEC": BigDecType,
    "SQL_DATE": DateType,
    "SQL_TIME": TimeType,
    "SQL_TIMESTAMP": TimestampType,
    "LOCAL_DATE": DateType,
    "LOCAL_TIME": TimeType,
    "LOCAL_DATETIME": TimestampType,
    "INSTANT": InstantType,
    "BYTES": BytesType,
    "BYTE_LIST": ByteListType,
    "PICKLED": PickledType,
}

_SEQUENCES = frozenset({"PRIMITIVE_ARRAY", "BASIC_ARRAY", "OBJECT_ARRAY", "LIST"})


class Layout:
    """How the columns of a batch make its elements.

    :param schema: the operator's schema, or the bytes of its Arrow IPC message
    :raise MalformedBatch: if it is not such a schema
    """

    def __init__(self, schema: Union[pa.Schema, bytes]) -> None:
        self.schema = read_schema(schema)
        layout = logical_type(self.schema.metadata, LAYOUT_KEY)
        fields = [self.schema.field(i) for i in range(len(self.schema.names))]
        self._is_value = layout == "VALUE"
        if self._is_value:
            self._nullable = fields[0].nullable
            self._value = element_type(fields[0])
        else:
            self._composite = composite_type(layout, None, fields)

    def decode(self, columns: Sequence[pa.Array]) -> List[Any]:
        """Returns the elements that the columns hold.

        :raise MalformedBatch: if there is a null where the schema promises none
        """
        if not self._is_value:
            return self._composite.decode_columns(columns)
        column = columns[0]
        if column.null_count and not self._nullable:
            raise MalformedBatch(f"an element of type {self._value.name} is null")
        return self._value.decode(column)

    def encode(self, values: Sequence[Any]) -> List[pa.Array]:
        """Returns the columns of the elements.

        :raise Misfit: naming the first value found that does not fit
        """
        if self._is_value:
            return [self._value.encode(values, self._nullable)]
        self._composite.refuse_null(values)
        return self._composite.encode_columns(values)


def logical_type(metadata: Optional[Mapping[bytes, bytes]], key: bytes) -> str:
    """The logical name that the operator's schema holds.

    :raise MalformedBatch: if there is none, as in a schema that is not the operator's
    """
    if not metadata or key not in metadata:
        raise MalformedBatch(f"the schema lacks the metadata {key.decode()}")
    return metadata[key].decode()


def element_type(field: pa.Field) -> ElementType:
    """Builds the type of a field.

    :raise MalformedBatch: naming a logical type that is not known
    """
    name = logical_type(field.metadata, TYPE_KEY)
    arrow_type = field.type
    if name in _SCALARS:
        return _SCALARS[name](arrow_type, name)
    if name in _SEQUENCES:
        element = arrow_type.value_field
        return SequenceType(arrow_type, name, element_type(element), element.nullable)
    if name == "MAP":
        return MapType(
            arrow_type,
            name,
            element_type(arrow_type.key_field),
            element_type(arrow_type.item_field),
        )
    if name in ("TUPLE", "ROW"):
        members = [arrow_type.field(i) for i in range(arrow_type.num_fields)]
        return composite_type(name, arrow_type, members)
    raise MalformedBatch(f"the schema has a field of the unknown type {name}")


def composite_type(
    name: str, arrow_type: Optional[pa.DataType], fields: Sequence[pa.Field]
) -> CompositeType:
    """Builds a row or tuple type of the given fields, the first of a row's being its kind."""
    members = fields[1:] if name == "ROW" else fields
    typed = Fields(members, [element_type(field) for field in members])
    return (RowType if name == "ROW" else TupleType)(arrow_type, name, typed)


def read_schema(schema: Union[pa.Schema, bytes]) -> pa.Schema:
    """The operator's schema, of the bytes of its Arrow IPC message if need be.

    :raise MalformedBatch: if the bytes are no such message
    """
    if isinstance(schema, pa.Schema):
        return schema
    try:
        return pa.ipc.read_schema(pa.py_buffer(schema))
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise MalformedBatch(f"the operator's schema cannot be read: {error}") from error
