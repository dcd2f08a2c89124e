"""The types that hold others: arrays and lists, maps, tuples and rows.

They are given the types of what they hold and know nothing of the schema.
"""

from abc import abstractmethod
from bisect import bisect_right
from itertools import accumulate, chain, repeat
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
import pyarrow as pa
from pyflink.common import Row, RowKind

from pyflink_async_batch._worker.element_type import (
    NONE,
    ElementType,
    MalformedBatch,
    Misfit,
    check_nulls,
    nested,
    shortened,
    with_nulls,
)
from pyflink_async_batch._worker.scalar_types import BYTE

_MAX_OFFSET = 2**31 - 1
_INSERT = RowKind.INSERT


class SequenceType(ElementType):
    """``list``; also a tuple or a one-dimensional numpy array.

    ``str``, ``bytes``, sets, generators and the like are refused, although one can iterate them.
    """

    def __init__(
        self, arrow_type: pa.DataType, name: str, element: ElementType, nullable_elements: bool
    ) -> None:
        super().__init__(arrow_type, name)
        self._element = element
        self._nullable_elements = nullable_elements
        self._numpy_dtype = _numpy_dtype(arrow_type.value_type)

    def decode(self, column: pa.Array) -> List[Any]:
        if not len(column):
            return []  # its offsets may be missing: Arrow would read past the end of the buffer
        ends = column.offsets.to_pylist()
        first = ends[0]
        elements = self._element.decode(column.values.slice(first, ends[-1] - first))
        check_nulls(self._element, elements, self._nullable_elements)
        lists: List[Any] = [
            elements[ends[i] - first : ends[i + 1] - first] for i in range(len(ends) - 1)
        ]
        return with_nulls(column, lists)

    def encode(self, values: Sequence[Any], nullable: bool) -> pa.Array:
        kinds = set(map(type, values))
        if NONE in kinds and not nullable:
            self.refuse_null(values)
        offsets = self._offsets(values, kinds)
        if kinds == {np.ndarray} and all(v.dtype == self._numpy_dtype for v in values):
            elements = pa.array(np.concatenate(values), type=self.arrow_type.value_type)
        else:
            elements = self._encode_elements(values, offsets)
        return nested(self.arrow_type, values, [_offsets_buffer(offsets)], [elements])

    def _offsets(self, values: Sequence[Any], kinds: "set[type]") -> List[int]:
        if not kinds <= {list, tuple, NONE}:
            for position, value in enumerate(values):
                if value is not None and not _is_sequence(value):
                    self.refuse(position, value)
        offsets = list(accumulate((0 if v is None else len(v) for v in values), initial=0))
        if offsets[-1] > _MAX_OFFSET:
            raise Misfit(0, "", self.name, f"{offsets[-1]} elements in the column")
        return offsets

    def _encode_elements(self, values: Sequence[Any], offsets: List[int]) -> pa.Array:
        elements = list(
            chain.from_iterable(
                v.tolist() if isinstance(v, np.ndarray) else v for v in values if v is not None
            )
        )
        try:
            return self._element.encode(elements, self._nullable_elements)
        except Misfit as misfit:
            owner, index = _owner(offsets, misfit.position)
            raise misfit.moved(owner, f"[{index}]") from None


class MapType(ElementType):
    """``dict``. Values may be ``None``, keys may not."""

    def __init__(
        self, arrow_type: pa.DataType, name: str, key: ElementType, value: ElementType
    ) -> None:
        super().__init__(arrow_type, name)
        self._key = key
        self._value = value

    def decode(self, column: pa.Array) -> List[Any]:
        if not len(column):
            return []  # its offsets may be missing: Arrow would read past the end of the buffer
        ends = column.offsets.to_pylist()
        first, length = ends[0], ends[-1] - ends[0]
        keys = self._key.decode(column.keys.slice(first, length))
        check_nulls(self._key, keys, False)
        values = self._value.decode(column.items.slice(first, length))
        maps: List[Any] = [
            dict(
                zip(
                    keys[ends[i] - first : ends[i + 1] - first],
                    values[ends[i] - first : ends[i + 1] - first],
                )
            )
            for i in range(len(ends) - 1)
        ]
        return with_nulls(column, maps)

    def encode(self, values: Sequence[Any], nullable: bool) -> pa.Array:
        for position, value in enumerate(values):
            if not isinstance(value, dict) and not (value is None and nullable):
                self.refuse(position, value)
        dicts = [v for v in values if v is not None]
        offsets = list(accumulate((0 if v is None else len(v) for v in values), initial=0))
        keys = self._encode_part(self._key, list(chain.from_iterable(dicts)), offsets, "{key}")
        items = list(chain.from_iterable(v.values() for v in dicts))
        items_column = self._encode_part(self._value, items, offsets, "{value}")
        entries = pa.Array.from_buffers(
            pa.struct([self.arrow_type.key_field, self.arrow_type.item_field]),
            offsets[-1],
            [None],
            children=[keys, items_column],
        )
        return nested(self.arrow_type, values, [_offsets_buffer(offsets)], [entries])

    @staticmethod
    def _encode_part(
        part: ElementType, values: List[Any], offsets: List[int], path: str
    ) -> pa.Array:
        try:
            return part.encode(values, nullable=path == "{value}")
        except Misfit as misfit:
            raise misfit.moved(_owner(offsets, misfit.position)[0], path) from None


class Fields:
    """Named columns of equal length, of a batch or of a struct.

    :param types: the type of each field
    """

    def __init__(self, fields: Sequence[pa.Field], types: Sequence[ElementType]) -> None:
        self.names = [field.name for field in fields]
        self.nullable = [field.nullable for field in fields]
        self.types = types

    def __len__(self) -> int:
        return len(self.names)

    def decode(self, columns: Sequence[pa.Array]) -> List[List[Any]]:
        """Returns the values of each column; nulls are the caller's to check."""
        return [t.decode(column) for t, column in zip(self.types, columns)]

    def encode(self, values: Sequence[Sequence[Any]]) -> List[pa.Array]:
        """Returns a column of each sequence of values."""
        columns = []
        for name, kind, nullable, column in zip(self.names, self.types, self.nullable, values):
            try:
                columns.append(kind.encode(column, nullable))
            except Misfit as misfit:
                raise misfit.moved(misfit.position, name) from None
        return columns


class CompositeType(ElementType):
    """A type with fields, as the columns of a batch or as a struct.

    :param arrow_type: the struct's type, or None where the fields are the batch's columns
    """

    @abstractmethod
    def decode_columns(self, columns: Sequence[pa.Array]) -> List[Any]:
        """Returns the values whose fields the columns hold, none of them null."""

    @abstractmethod
    def encode_columns(self, values: Sequence[Any]) -> List[pa.Array]:
        """Returns the columns of values of which none is null."""

    def decode(self, column: pa.Array) -> List[Any]:
        if column.null_count == 0:
            return self.decode_columns([column.field(i) for i in range(column.type.num_fields)])
        # Members of a null struct hold anything, so only those of the others are looked at.
        present = column.filter(column.is_valid())
        members = iter(
            self.decode_columns([present.field(i) for i in range(column.type.num_fields)])
        )
        return [next(members) if valid else None for valid in column.is_valid().to_pylist()]

    def encode(self, values: Sequence[Any], nullable: bool) -> pa.Array:
        positions = [i for i, v in enumerate(values) if v is not None]
        if len(positions) == len(values):
            return nested(self.arrow_type, values, [], self.encode_columns(values))
        if not nullable:
            self.refuse_null(values)
        try:
            present = self.encode_columns([values[i] for i in positions])
        except Misfit as misfit:
            raise misfit.moved(positions[misfit.position], "") from None
        ranks = iter(range(len(positions)))
        spread = pa.array([None if v is None else next(ranks) for v in values], pa.int64())
        columns = [column.take(spread) for column in present]
        return nested(self.arrow_type, values, [], columns)


class TupleType(CompositeType):
    """``tuple`` of the right length, also a named one. Fields may not be ``None``."""

    def __init__(self, arrow_type: Optional[pa.DataType], name: str, fields: Fields) -> None:
        super().__init__(arrow_type, f"{name} of {len(fields)} fields")
        self._fields = fields

    def decode_columns(self, columns: Sequence[pa.Array]) -> List[Any]:
        values = self._fields.decode(columns)
        for kind, nullable, column in zip(self._fields.types, self._fields.nullable, values):
            check_nulls(kind, column, nullable)
        return list(zip(*values))

    def encode_columns(self, values: Sequence[Any]) -> List[pa.Array]:
        arity = len(self._fields)
        for position, value in enumerate(values):
            if not isinstance(value, tuple):
                self.refuse(position, value)
            if len(value) != arity:
                self.refuse(position, value, f" of {len(value)} fields")
        return self._fields.encode(_transposed(values, arity))


class RowType(CompositeType):
    """PyFlink's ``Row`` with the kind it has. Fields may be ``None``.

    A row without field names goes by position and must have the right length; one with names goes
    by name, in any order, and must have exactly the names of the type.

    :param fields: those of the row, without the first column, which holds its kind
    """

    def __init__(self, arrow_type: Optional[pa.DataType], name: str, fields: Fields) -> None:
        super().__init__(arrow_type, f"{name} of {len(fields)} fields")
        self._fields = fields
        self._kinds = {kind.value: kind for kind in RowKind}

    def decode_columns(self, columns: Sequence[pa.Array]) -> List[Any]:
        kinds = BYTE.decode(columns[0])
        fields = self._fields.decode(columns[1:])
        names = list(self._fields.names)
        rows = []
        for kind, values in zip(kinds, zip(*fields) if fields else repeat(())):
            row = Row(*values)
            row.set_field_names(names)
            if kind:
                if kind not in self._kinds:
                    raise MalformedBatch(f"there is no row kind {kind}")
                row.set_row_kind(self._kinds[kind])
            elif kind is None:
                raise MalformedBatch("a row has no row kind")
            rows.append(row)
        return rows

    def encode_columns(self, values: Sequence[Any]) -> List[pa.Array]:
        rows = [self._values(i, v) for i, v in enumerate(values)]
        kinds = [v.get_row_kind() for v in values]
        # The value of an enum's member is a slow attribute, and nearly every row is an insert.
        codes = [0 if kind is _INSERT else kind.value for kind in kinds]
        return [
            pa.array(codes, pa.int8()),
            *self._fields.encode(_transposed(rows, len(self._fields))),
        ]

    def _values(self, position: int, row: Any) -> Sequence[Any]:
        if not isinstance(row, Row):
            self.refuse(position, row)
        if not isinstance(row.get_row_kind(), RowKind):
            self.refuse(position, row, " whose row kind is no RowKind")
        if len(row) != len(self._fields):
            self.refuse(position, row, f" of {len(row)} fields")
        # Not getattr(), which a row without names answers through an exception.
        names = vars(row).get("_fields")
        wanted = self._fields.names
        if names is None or names == wanted:
            return list(row)
        if sorted(map(str, names)) != sorted(wanted):
            self.refuse(
                position,
                row,
                f" with fields {shortened(str(list(names)))} instead of {shortened(str(wanted))}",
            )
        values: Sequence[Any] = row.get_fields_by_names(wanted)
        return values


def _transposed(rows: Sequence[Sequence[Any]], arity: int) -> Sequence[Sequence[Any]]:
    return list(zip(*rows)) if rows else [()] * arity


def _is_sequence(value: Any) -> bool:
    return isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim == 1)


def _owner(offsets: List[int], position: int) -> Tuple[int, int]:
    """Which value of a column holds the element at the position, and where in it."""
    owner = bisect_right(offsets, position) - 1
    return owner, position - offsets[owner]


def _offsets_buffer(offsets: List[int]) -> pa.Buffer:
    if offsets[-1] > _MAX_OFFSET:
        raise Misfit(0, "", "at most 2147483647 elements in a column", str(offsets[-1]))
    return pa.py_buffer(np.array(offsets, dtype=np.int32))


def _numpy_dtype(arrow_type: pa.DataType) -> Optional[Any]:
    """The dtype whose arrays Arrow takes as they are, if the type is a number."""
    if pa.types.is_signed_integer(arrow_type) or pa.types.is_floating(arrow_type):
        return np.dtype(arrow_type.to_pandas_dtype())
    return None
