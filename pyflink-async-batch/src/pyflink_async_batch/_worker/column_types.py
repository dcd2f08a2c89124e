"""What a column of each type may be, where a function takes and returns columns.

A column type knows the Arrow type on the wire, shows the operator's columns to the user's function,
and takes the columns that it returned: as they are, converted without a loss, or not at all. What
user code returned has gone through Arrow's full validation before it comes here.

Here live :class:`ColumnType`, the error :class:`ColumnMisfit`, and the types without fields or
elements; those of :mod:`~pyflink_async_batch._worker.nested_columns` hold others.
"""

import re
from abc import ABC, abstractmethod
from typing import Any, NoReturn, Optional, Tuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pyflink_async_batch._worker.element_type import MalformedBatch, describe, shortened

_INT_MAX = 2**31 - 1


class ColumnMisfit(Exception):  # noqa: N818 - never leaves the codec
    """A column that the function returned does not fit.

    :param path: path of the field, "" for the element itself
    :param expected: what the field takes
    :param found: what was there instead
    :param position: row of the first value that does not fit; None if the column's type does not
    """

    def __init__(self, path: str, expected: str, found: str, position: Optional[int]) -> None:
        super().__init__(f"expected {expected}, got {found}")
        self.path = path
        self.expected = expected
        self.found = found
        self.position = position

    def moved(self, position: int) -> "ColumnMisfit":
        """The same misfit by its row in the column that encloses this one."""
        return ColumnMisfit(self.path, self.expected, self.found, position)


class ColumnType(ABC):
    """Columns of one field.

    :param arrow_type: the Arrow type on the wire
    :param name: the logical type, as errors show it
    :param nullable: whether values may be null
    :param path: path of the field from the element, "" for the element itself
    """

    #: What is taken, in words.
    accepts = ""

    def __init__(self, arrow_type: pa.DataType, name: str, nullable: bool, path: str) -> None:
        self.arrow_type = arrow_type
        #: The Arrow type that the user's function sees.
        self.shown_type = arrow_type
        self._name = name
        self._nullable = nullable
        self._path = path

    def show(self, column: pa.Array) -> pa.Array:
        """Returns a column of the operator as the user's function is to see it, on its memory.

        :raise MalformedBatch: if there is a null where the schema promises none
        """
        if column.null_count and not self._nullable:
            raise MalformedBatch(f"a field of type {self._name} is null, but takes no null")
        return column

    def take(self, column: pa.Array) -> pa.Array:
        """Returns a valid column of the user's function as one of the type on the wire.

        :raise ColumnMisfit: if it does not fit
        """
        column = _plain(column, self.arrow_type)
        if column.null_count and not self._nullable:
            self._refuse(first_null(column), "None")
        return self._convert(column)

    @abstractmethod
    def _convert(self, column: pa.Array) -> pa.Array:
        """Returns the column as one of the type on the wire; nulls are looked at already."""

    def _refuse_type(self, column: pa.Array, why: str = "") -> NoReturn:
        found = f"a column of {shortened(str(column.type))}{why}"
        self._refuse(None, found)

    def _refuse(self, position: Optional[int], found: str) -> NoReturn:
        expected = f"{self._name} ({self.accepts})" if self.accepts else self._name
        raise ColumnMisfit(self._path, expected, found, position)


def first_null(column: pa.Array) -> int:
    """The position of the first null of a column that has one."""
    return first_true(column.is_null())


def first_true(flags: pa.Array) -> int:
    """The position of the first true value of a column that has one."""
    return int(np.flatnonzero(flags.fill_null(False).to_numpy(zero_copy_only=False))[0])


def validity(column: pa.Array) -> Optional[pa.Buffer]:
    """The column's validity bitmap from its first row, None if no value is null."""
    if not column.null_count:
        return None
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    return pa.py_buffer(np.packbits(valid, bitorder="little"))


def _plain(column: pa.Array, wanted: pa.DataType) -> pa.Array:
    """The column without what only says how its values are stored."""
    while isinstance(column, (pa.ExtensionArray, pa.DictionaryArray)):
        is_extension = isinstance(column, pa.ExtensionArray)
        column = column.storage if is_extension else column.dictionary_decode()
    return pa.nulls(len(column), wanted) if isinstance(column, pa.NullArray) else column


class ScalarColumn(ColumnType):
    """A type whose columns are cast from those of some other types, safely."""

    def _convert(self, column: pa.Array) -> pa.Array:
        if not column.type.equals(self.arrow_type):
            if not self._is_source(column.type):
                self._refuse_type(column)
            try:
                column = self._cast(column)
            except pa.ArrowException as error:
                self._refuse_type(column, f" whose values do not fit: {shortened(str(error))}")
        self._check(column)
        return column

    def _is_source(self, arrow_type: pa.DataType) -> bool:
        """Whether columns of another type are taken."""
        return False

    def _cast(self, column: pa.Array) -> pa.Array:
        """Returns the column as one of the type on the wire, or raises an error of Arrow."""
        return column.cast(self.arrow_type)

    def _check(self, column: pa.Array) -> None:
        """Refuses what the type on the wire could hold and the logical type cannot."""


class BooleanColumn(ScalarColumn):
    """``bool``. Numbers are refused."""

    accepts = "bool"


class IntegerColumn(ScalarColumn):
    """A signed integer; also other integer types whose values fit. Floats are refused."""

    accepts = "an integer type whose values fit"

    def _is_source(self, arrow_type: pa.DataType) -> bool:
        return bool(pa.types.is_integer(arrow_type))


class CharColumn(IntegerColumn):
    """A UTF-16 code unit that is no surrogate."""

    def _check(self, column: pa.Array) -> None:
        surrogate = pc.equal(pc.bit_wise_and(column, pa.scalar(0xF800, pa.uint16())), 0xD800)
        if pc.any(surrogate).as_py():
            position = first_true(surrogate)
            self._refuse(position, f"the surrogate U+{column[position].as_py():04X}")


class FloatingColumn(ScalarColumn):
    """A float; also other floats, rounded, and integers that the width holds exactly.

    As in the row path, a finite number that would become infinite is refused.
    """

    accepts = "a floating type, or integers that it holds exactly"

    def _is_source(self, arrow_type: pa.DataType) -> bool:
        return bool(pa.types.is_floating(arrow_type) or pa.types.is_integer(arrow_type))

    def _cast(self, column: pa.Array) -> pa.Array:
        cast = column.cast(self.arrow_type)
        if pa.types.is_float64(column.type):
            overflown = pc.and_not(pc.is_inf(cast), pc.is_inf(column))
            if pc.any(overflown).as_py():
                position = first_true(overflown)
                self._refuse(position, f"{describe(column[position].as_py())}, beyond its range")
        return cast


class TextColumn(ScalarColumn):
    """UTF-8 text."""

    accepts = "string or large_string"

    def _is_source(self, arrow_type: pa.DataType) -> bool:
        return bool(pa.types.is_large_string(arrow_type))


class BigDecColumn(TextColumn):
    """The text of a decimal number, as Java's ``BigDecimal`` reads it; also Arrow's decimals."""

    accepts = "string with decimal numbers, decimal128 or decimal256"

    # What nearly all numbers are. One with more digits in its exponent is looked at by itself.
    _PLAIN = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?$"
    _ANY = re.compile(r"[+-]?(?:[0-9]+(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?")

    def _is_source(self, arrow_type: pa.DataType) -> bool:
        return super()._is_source(arrow_type) or bool(pa.types.is_decimal(arrow_type))

    def _check(self, column: pa.Array) -> None:
        plain = pc.match_substring_regex(column, self._PLAIN)
        if pc.all(plain).as_py() is not False:
            return
        for position in np.flatnonzero(~plain.fill_null(True).to_numpy(zero_copy_only=False)):
            text = column[int(position)].as_py()
            if not self._is_decimal(text):
                self._refuse(int(position), describe(text))

    @classmethod
    def _is_decimal(cls, text: str) -> bool:
        match = cls._ANY.fullmatch(text)
        if match is None or len(match[3] or "") > 1000:
            return False
        exponent = int(match[3] or 0)
        scale = len(match[1] or match[2] or "") - exponent
        return abs(exponent) <= _INT_MAX and abs(scale) <= _INT_MAX


class BinaryColumn(ColumnType):
    """Bytes; also lists and tensors of ``uint8`` or ``int8``, whose values are not copied."""

    accepts = "binary, large_binary, fixed_size_binary, or lists of uint8 or int8"

    def _convert(self, column: pa.Array) -> pa.Array:
        kind = column.type
        if kind.equals(self.arrow_type):
            return column
        if pa.types.is_large_binary(kind):
            try:
                return column.cast(self.arrow_type)
            except pa.ArrowException as error:
                self._refuse_type(column, f" that do not fit: {shortened(str(error))}")
        if pa.types.is_fixed_size_binary(kind):
            width = kind.byte_width
            offsets = even_offsets(len(column), width)
            data = column.buffers()[1]
            start = column.offset * width
        elif is_list(kind) and (
            pa.types.is_uint8(kind.value_type) or pa.types.is_int8(kind.value_type)
        ):
            offsets, items = lists(column)
            if items.null_count:
                position = owner(offsets, first_null(items))
                self._refuse(position, "a list with None in it")
            data = items.buffers()[1]
            start = items.offset
        else:
            self._refuse_type(column)
        if offsets[-1] > _INT_MAX:
            self._refuse_type(column, f" with {offsets[-1]} bytes, more than 2 GiB")
        data = pa.py_buffer(b"") if data is None else data.slice(start, int(offsets[-1]))
        offsets_buffer = pa.py_buffer(offsets.astype(np.int32, copy=False))
        return pa.Array.from_buffers(
            self.arrow_type,
            len(column),
            [validity(column), offsets_buffer, data],
            null_count=column.null_count,
        )


class BigIntColumn(BinaryColumn):
    """An integer as big-endian two's complement bytes, as Java's ``BigInteger`` has them."""

    accepts = "binary with at least one byte a value"

    def _convert(self, column: pa.Array) -> pa.Array:
        column = super()._convert(column)
        empty = pc.equal(pc.binary_length(column), 0)
        if pc.any(empty).as_py():
            self._refuse(first_true(empty), "no bytes")
        return column


class TemporalColumn(ScalarColumn):
    """Dates, times of day and timestamps without a zone; also other units, without a loss."""

    _FIRST_DAY, _LAST_DAY = -719162, 2932896

    def __init__(self, arrow_type: pa.DataType, name: str, nullable: bool, path: str) -> None:
        super().__init__(arrow_type, name, nullable, path)
        self._range: Optional[Tuple[int, int]] = None
        if pa.types.is_date(arrow_type):
            self._is_kin = pa.types.is_date
            self.accepts = "date32 or date64"
            self._range = (self._FIRST_DAY, self._LAST_DAY)
        elif pa.types.is_time(arrow_type):
            # Within a day, which Arrow's validation has seen to.
            self._is_kin = pa.types.is_time
            self.accepts = f"{arrow_type}, or time of another unit without a loss"
        else:
            self._is_kin = pa.types.is_timestamp
            self.accepts = f"{arrow_type} without a zone, or of another unit without a loss"
            day = 86_400_000_000
            self._range = (self._FIRST_DAY * day, (self._LAST_DAY + 1) * day - 1)

    def _is_source(self, arrow_type: pa.DataType) -> bool:
        return bool(self._is_kin(arrow_type)) and getattr(arrow_type, "tz", None) is None

    def _check(self, column: pa.Array) -> None:
        if self._range is None:
            return
        numbers = column.view(pa.int32() if self.arrow_type.bit_width == 32 else pa.int64())
        outside = pc.or_(pc.less(numbers, self._range[0]), pc.greater(numbers, self._range[1]))
        if pc.any(outside).as_py():
            position = first_true(outside)
            number = numbers[position].as_py()
            found = f"{self.arrow_type} {number}, outside of the years 1 to 9999"
            self._refuse(position, found)


def is_list(arrow_type: pa.DataType) -> bool:
    """Whether a column of the type has a list a row."""
    return bool(
        pa.types.is_list(arrow_type)
        or pa.types.is_large_list(arrow_type)
        or pa.types.is_fixed_size_list(arrow_type)
    )


def lists(column: pa.Array) -> Tuple[Any, pa.Array]:
    """Where each row's items begin and end, from 0, and all items but those of null rows."""
    if pa.types.is_fixed_size_list(column.type):
        size = column.type.list_size
        if not column.null_count:
            return even_offsets(len(column), size), column.flatten()
        lengths = size * column.is_valid().to_numpy(zero_copy_only=False).astype(np.int64)
        return _summed(lengths), column.flatten()
    offsets, compact, start = spans(column)
    return offsets, compact.values.slice(start, int(offsets[-1]))


def spans(column: pa.Array) -> Tuple[Any, pa.Array, int]:
    """Of a column of lists or maps: where each row's items begin and end, from 0; the column
    without its null rows; and where its first item is among its items.
    """
    offsets = _raw_offsets(column)
    if not column.null_count:
        start = int(offsets[0])
        return (offsets - start if start else offsets), column, start
    valid = column.is_valid()
    lengths = np.diff(offsets) * valid.to_numpy(zero_copy_only=False)
    compact = column.filter(valid)
    return _summed(lengths), compact, int(_raw_offsets(compact)[0])


def even_offsets(count: int, size: int) -> Any:
    """Where each of so many rows begins and ends, if all have the same size."""
    return np.arange(count + 1, dtype=np.int64) * size


def owner(offsets: Any, position: int) -> int:
    """Which row holds the item at the position."""
    return int(np.searchsorted(offsets, position, side="right")) - 1


def _raw_offsets(column: pa.Array) -> Any:
    # An empty column may come without any: Arrow would read past the end of the buffer.
    return column.offsets.to_numpy() if len(column) else np.zeros(1, np.int32)


def _summed(lengths: Any) -> Any:
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets
