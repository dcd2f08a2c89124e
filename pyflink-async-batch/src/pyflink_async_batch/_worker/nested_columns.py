"""Columns of the types that hold others: arrays and lists, maps, tuples and rows.

The kind of a row is on the wire and not in what the user's function sees: it is shown rows of kind
INSERT alone, and what it returns are such rows.
"""

from typing import Any, Callable, List, Optional, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyflink.common import RowKind

from pyflink_async_batch._worker.column_types import (
    ColumnMisfit,
    ColumnType,
    first_true,
    is_list,
    lists,
    owner,
    spans,
    validity,
)
from pyflink_async_batch._worker.element_type import MalformedBatch, shortened

_MAX_OFFSET = 2**31 - 1


class RowKindError(ValueError):
    """A row that is no insert came to a function on columns, which cannot see the difference."""


class SequenceColumn(ColumnType):
    """Lists; also large, fixed-size and tensor ones, whose values are not copied."""

    accepts = "list, large_list, fixed_size_list or fixed_shape_tensor of its elements"

    def __init__(
        self, arrow_type: pa.DataType, name: str, nullable: bool, path: str, element: ColumnType
    ) -> None:
        super().__init__(arrow_type, name, nullable, path)
        self._element = element
        if element.shown_type is not element.arrow_type:
            self.shown_type = pa.list_(arrow_type.value_field.with_type(element.shown_type))

    def show(self, column: pa.Array) -> pa.Array:
        column = super().show(column)
        items = self._element.show(column.values)
        if self.shown_type is self.arrow_type:
            return column
        return _nested(self.shown_type, column, column.buffers()[:2], [items], column.offset)

    def _convert(self, column: pa.Array) -> pa.Array:
        if not is_list(column.type):
            self._refuse_type(column)
        offsets, items = lists(column)
        if offsets[-1] > _MAX_OFFSET:
            self._refuse_type(column, f" with {offsets[-1]} elements, more than {_MAX_OFFSET}")
        taken = _of_owner(offsets, lambda: self._element.take(items))
        return _nested(self.arrow_type, column, [validity(column), _int32(offsets)], [taken])


class MapColumn(ColumnType):
    """Maps. Values may be null, keys may not; of equal keys in one map Java keeps the last."""

    accepts = "map of its keys and values"

    def __init__(
        self,
        arrow_type: pa.DataType,
        name: str,
        nullable: bool,
        path: str,
        key: ColumnType,
        value: ColumnType,
    ) -> None:
        super().__init__(arrow_type, name, nullable, path)
        self._key = key
        self._value = value
        if (key.shown_type, value.shown_type) != (key.arrow_type, value.arrow_type):
            self.shown_type = pa.map_(
                arrow_type.key_field.with_type(key.shown_type),
                arrow_type.item_field.with_type(value.shown_type),
            )

    def show(self, column: pa.Array) -> pa.Array:
        column = super().show(column)
        keys, values = self._key.show(column.keys), self._value.show(column.items)
        if self.shown_type is self.arrow_type:
            return column
        entries = self._entries(self.shown_type, keys, values)
        return _nested(self.shown_type, column, column.buffers()[:2], [entries], column.offset)

    def _convert(self, column: pa.Array) -> pa.Array:
        if not pa.types.is_map(column.type):
            self._refuse_type(column)
        offsets, compact, start = spans(column)
        count = int(offsets[-1])
        keys = _of_owner(offsets, lambda: self._key.take(compact.keys.slice(start, count)))
        values = _of_owner(offsets, lambda: self._value.take(compact.items.slice(start, count)))
        entries = self._entries(self.arrow_type, keys, values)
        return _nested(self.arrow_type, column, [validity(column), _int32(offsets)], [entries])

    @staticmethod
    def _entries(arrow_type: pa.DataType, keys: pa.Array, values: pa.Array) -> pa.Array:
        return pa.Array.from_buffers(
            pa.struct([arrow_type.key_field, arrow_type.item_field]),
            len(keys),
            [None],
            children=[keys, values],
        )


class Members:
    """The named columns of a batch or of a struct.

    :param names: the names that the user's function sees
    :param types: their types
    :param with_kind: whether a column before them holds the kind of rows
    """

    def __init__(self, names: Sequence[str], types: Sequence[ColumnType], with_kind: bool) -> None:
        self.names = list(names)
        self.types = list(types)
        self._with_kind = with_kind
        self._inserts = _inserts(0)

    @property
    def shown_types(self) -> List[pa.DataType]:
        return [kind.shown_type for kind in self.types]

    @property
    def are_shown_as_sent(self) -> bool:
        return not self._with_kind and all(k.shown_type is k.arrow_type for k in self.types)

    def show(self, columns: Sequence[pa.Array]) -> List[pa.Array]:
        """Returns the operator's columns as the user's function is to see them.

        :raise RowKindError: if there is a row that is no insert
        """
        if self._with_kind:
            self._refuse_other_kinds(columns[0])
            columns = columns[1:]
        return [kind.show(column) for kind, column in zip(self.types, columns)]

    def take(self, columns: Sequence[pa.Array], count: int) -> List[pa.Array]:
        """Returns columns of the user's function, in the order of the names, as the wire has them.

        :raise ColumnMisfit: if one does not fit
        """
        taken = [kind.take(column) for kind, column in zip(self.types, columns)]
        if self._with_kind:
            if len(self._inserts) < count:
                self._inserts = _inserts(count)
            taken.insert(0, self._inserts.slice(0, count))
        return taken

    def other_names(self, names: Sequence[str]) -> Optional[str]:
        """Says what is wrong with the names of a batch or struct; None if they are the names."""
        if len(names) == len(self.names) and sorted(names) == sorted(self.names):
            return None
        return f"fields {shortened(str(list(names)))} instead of {shortened(str(self.names))}"

    @staticmethod
    def _refuse_other_kinds(kinds: pa.Array) -> None:
        if kinds.null_count:
            raise MalformedBatch("a row has no row kind")
        others = np.flatnonzero(kinds.to_numpy())
        if len(others):
            position = int(others[0])
            code = kinds[position].as_py()
            name = next((k.name for k in RowKind if k.value == code), code)
            raise RowKindError(
                f"Row {position} of the batch is of kind {name}. A function on columns takes rows "
                "of kind INSERT alone, as columns do not show the kind: use an AsyncBatchFunction."
            )


class StructColumn(ColumnType):
    """Tuples, rows and instants inside of another type."""

    accepts = "struct with its fields"

    def __init__(
        self,
        arrow_type: pa.DataType,
        name: str,
        nullable: bool,
        path: str,
        members: Members,
    ) -> None:
        super().__init__(arrow_type, name, nullable, path)
        self._members = members
        if not members.are_shown_as_sent:
            fields = [arrow_type.field(i) for i in range(arrow_type.num_fields)]
            shown = fields[len(fields) - len(members.names) :]
            self.shown_type = pa.struct(
                [field.with_type(t) for field, t in zip(shown, members.shown_types)]
            )

    def show(self, column: pa.Array) -> pa.Array:
        column = super().show(column)
        if self.shown_type is not self.arrow_type:
            return self._through(self.shown_type, column, self._show_members)
        self._show_members(column.filter(column.is_valid()) if column.null_count else column)
        return column

    def _convert(self, column: pa.Array) -> pa.Array:
        if not pa.types.is_struct(column.type):
            self._refuse_type(column)
        names = [column.type.field(i).name for i in range(column.type.num_fields)]
        other = self._members.other_names(names)
        if other is not None:
            self._refuse(None, f"a struct with {other}")
        return self._through(self.arrow_type, column, self._take_members)

    def _show_members(self, present: pa.Array) -> List[pa.Array]:
        return self._members.show([present.field(i) for i in range(present.type.num_fields)])

    def _take_members(self, present: pa.Array) -> List[pa.Array]:
        columns = [present.field(name) for name in self._members.names]
        return self._members.take(columns, len(present))

    @staticmethod
    def _through(
        arrow_type: pa.DataType, column: pa.Array, convert: Callable[[pa.Array], List[pa.Array]]
    ) -> pa.Array:
        """A struct of what becomes of the members of those structs that are not null."""
        if not column.null_count:
            return _nested(arrow_type, column, [None], convert(column))
        # Members of a null struct hold anything.
        valid = column.is_valid()
        flags = valid.to_numpy(zero_copy_only=False)
        positions = np.flatnonzero(flags)
        try:
            present = convert(column.filter(valid))
        except ColumnMisfit as misfit:
            raise _at(misfit, lambda position: int(positions[position])) from None
        ranks = pa.array(np.cumsum(flags, dtype=np.int64) - 1, mask=~flags)
        return _nested(
            arrow_type, column, [validity(column)], [member.take(ranks) for member in present]
        )


class InstantColumn(StructColumn):
    """Seconds and nanoseconds within the range of Java's ``Instant``."""

    _MIN_SECOND = -31557014167219200
    _MAX_SECOND = 31556889864403199

    def _take_members(self, present: pa.Array) -> List[pa.Array]:
        seconds, nanos = taken = super()._take_members(present)
        self._check(seconds, "seconds", self._MIN_SECOND, self._MAX_SECOND)
        self._check(nanos, "nanos", 0, 999_999_999)
        return taken

    def _check(self, numbers: pa.Array, name: str, lowest: int, highest: int) -> None:
        outside = pc.or_(pc.less(numbers, lowest), pc.greater(numbers, highest))
        if pc.any(outside).as_py():
            position = first_true(outside)
            self._refuse(position, f"{name}={numbers[position].as_py()}")


def _of_owner(offsets: Any, convert: Callable[[], pa.Array]) -> pa.Array:
    """Converts items; a misfit among them is one of the row that holds it."""
    try:
        return convert()
    except ColumnMisfit as misfit:
        raise _at(misfit, lambda position: owner(offsets, position)) from None


def _at(misfit: ColumnMisfit, row_of: Callable[[int], int]) -> ColumnMisfit:
    return misfit if misfit.position is None else misfit.moved(row_of(misfit.position))


def _int32(offsets: Any) -> pa.Buffer:
    return pa.py_buffer(offsets.astype(np.int32, copy=False))


def _inserts(count: int) -> pa.Array:
    return pa.array(np.full(count, RowKind.INSERT.value, np.int8))


def _nested(
    arrow_type: pa.DataType,
    column: pa.Array,
    buffers: List[Optional[pa.Buffer]],
    children: List[pa.Array],
    offset: int = 0,
) -> pa.Array:
    return pa.Array.from_buffers(
        arrow_type,
        len(column),
        buffers,
        null_count=column.null_count,
        offset=offset,
        children=children,
    )
