"""How the columns of a record batch hold Python values, one class per logical type.

The schema that the operator sends names each field's logical type in the field's metadata, so the
types are built from it alone. A type converts a whole column at a time: plain columns cross between
Python and Arrow in one call, composite ones loop over their children's columns.

Arrow itself would take ``1.5`` for an int64, ``b"x"`` for a string and a datetime with a zone for
one without, and change them silently. So every type first looks at the classes of the values, at C
speed, and only classes that convert without loss go the fast way; the others are looked at one by
one.
"""

import datetime
import decimal
import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from itertools import accumulate, chain, repeat
from typing import (
    Any,
    Callable,
    Dict,
    FrozenSet,
    List,
    Mapping,
    NoReturn,
    Optional,
    Sequence,
    Tuple,
)

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyflink.common import Row, RowKind
from pyflink.common.time import Instant

__all__ = ["ElementType", "MalformedBatch", "Misfit", "element_type"]

TYPE_KEY = b"asyncbatch.type"
LAYOUT_KEY = b"asyncbatch.layout"

_NONE = type(None)
_MAX_REPR = 100
_MAX_OFFSET = 2**31 - 1
_INSERT = RowKind.INSERT


class MalformedBatch(ValueError):  # noqa: N818 - it names what the bytes are
    """The bytes are not the record batch that the schema and the row count promise."""


class Misfit(Exception):  # noqa: N818 - never leaves the codec
    """A value does not fit the type of its field.

    :param position: index of the value in its column
    :param path: path of the field from the column, "" for the column itself
    :param expected: what the field takes
    :param found: what was there instead, never a whole composite value
    """

    def __init__(self, position: int, path: str, expected: str, found: str) -> None:
        super().__init__(f"expected {expected}, got {found}")
        self.position = position
        self.path = path
        self.expected = expected
        self.found = found

    def moved(self, position: int, prefix: str) -> "Misfit":
        """The same misfit as the column that encloses this one sees it."""
        separator = "." if prefix and self.path and not self.path.startswith(("[", "{")) else ""
        return Misfit(position, prefix + separator + self.path, self.expected, self.found)


def describe(value: Any) -> str:
    """The class of a value and, of a plain scalar, at most 100 characters of its repr."""
    kind = type(value)
    if value is None:
        return "None"
    name = kind.__qualname__ if kind.__module__ == "builtins" else _qualified(kind)
    if kind in (str, bytes):
        return f"{name} {_shortened(repr(value[:_MAX_REPR]))}"
    if kind is int and value.bit_length() > 256:
        return f"int of {value.bit_length()} bits"
    if kind in (bool, int, float, datetime.date, datetime.time) or isinstance(value, np.generic):
        return f"{name} {_shortened(repr(value))}"
    return name


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _message(error: Exception) -> str:
    try:
        return _shortened(str(error))
    except Exception:
        return "its message cannot be shown"


def _shortened(text: str) -> str:
    return text if len(text) <= _MAX_REPR else text[: _MAX_REPR - 3] + "..."


class ElementType(ABC):
    """Converts the columns of one logical type.

    :param arrow_type: the Arrow type of the column, exactly as the schema has it
    :param name: the logical type, as errors show it
    """

    #: Whether ``None`` is a value of the type, to be encoded where the field takes no null.
    encodes_none = False

    def __init__(self, arrow_type: pa.DataType, name: str) -> None:
        self.arrow_type = arrow_type
        self.name = name

    @abstractmethod
    def decode(self, column: pa.Array) -> List[Any]:
        """Returns fresh Python values that share nothing with the column, ``None`` for null."""

    @abstractmethod
    def encode(self, values: Sequence[Any], nullable: bool) -> pa.Array:
        """Returns a column of the values.

        :param nullable: whether ``None`` among the values becomes null or is refused
        :raise Misfit: naming the first value found that does not fit
        """

    def refuse(self, position: int, value: Any, why: str = "") -> NoReturn:
        """Raises the misfit of one value."""
        raise Misfit(position, "", self.name, describe(value) + why)

    def refuse_null(self, values: Sequence[Any]) -> None:
        """Raises the misfit of the first ``None``, if there is one."""
        for position, value in enumerate(values):
            if value is None:
                self.refuse(position, value)


class PlainType(ElementType):
    """A type whose columns cross in one call, once the classes of all values are known to fit.

    :param fast: classes whose values Arrow converts without loss or raises for
    """

    def __init__(self, arrow_type: pa.DataType, name: str, fast: FrozenSet[type]) -> None:
        super().__init__(arrow_type, name)
        self._fast = fast | {_NONE}

    def decode(self, column: pa.Array) -> List[Any]:
        values: List[Any] = column.to_pylist()
        return values

    @staticmethod
    def _decode_numbers(column: pa.Array) -> List[Any]:
        # Ten times as fast as to_pylist(), which makes a scalar object of each value.
        filled = column.fill_null(0) if column.null_count else column
        values: List[Any] = filled.to_numpy(zero_copy_only=False).tolist()
        return _with_nulls(column, values)

    @staticmethod
    def _decode_objects(column: pa.Array) -> List[Any]:
        # As fast; nulls become None. Equal values may be one object, which text and bytes allow.
        values: List[Any] = column.to_numpy(zero_copy_only=False).tolist()
        return values

    def encode(self, values: Sequence[Any], nullable: bool) -> pa.Array:
        kinds = set(map(type, values))
        if _NONE in kinds and not nullable:
            self.refuse_null(values)
        if kinds <= self._fast:
            try:
                return self._to_arrow(values)
            except (pa.ArrowException, OverflowError, ValueError):
                # Which value it was Arrow does not say; the loop below does.
                pass
        return self._to_arrow(
            [v if v is None else self.normalize(i, v) for i, v in enumerate(values)]
        )

    @abstractmethod
    def normalize(self, position: int, value: Any) -> Any:
        """Returns the value as one that Arrow converts without loss, or refuses it."""

    def _to_arrow(self, values: Sequence[Any]) -> pa.Array:
        array = pa.array(values, type=self.arrow_type)
        if isinstance(array, pa.ChunkedArray):
            raise Misfit(0, "", self.name, "more than 2 GiB in the column")
        return array


class BooleanType(PlainType):
    """``bool``; also ``numpy.bool_``. Numbers are refused."""

    def __init__(self, arrow_type: pa.DataType, name: str) -> None:
        super().__init__(arrow_type, name, frozenset({bool, np.bool_}))

    def decode(self, column: pa.Array) -> List[Any]:
        return self._decode_objects(column)

    def normalize(self, position: int, value: Any) -> bool:
        if not isinstance(value, (bool, np.bool_)):
            self.refuse(position, value)
        return bool(value)


class IntegerType(PlainType):
    """``int`` within the width; also numpy integers and subclasses of ``int``.

    Refused: ``bool``, every float even if whole or NaN, values out of range.
    """

    def __init__(self, arrow_type: pa.DataType, name: str) -> None:
        super().__init__(
            arrow_type,
            name,
            frozenset({int, np.int8, np.int16, np.int32, np.int64}),
        )
        self._min = -(2 ** (arrow_type.bit_width - 1))
        self._max = -self._min - 1

    def decode(self, column: pa.Array) -> List[Any]:
        return self._decode_numbers(column)

    def normalize(self, position: int, value: Any) -> int:
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
            self.refuse(position, value)
        number = int(value)
        if not self._min <= number <= self._max:
            self.refuse(position, value, f", out of {self._min}..{self._max}")
        return number


class FloatingType(PlainType):
    """``float``; also numpy floats, and integers that the width holds exactly.

    A FLOAT rounds to the nearest single, as PyFlink does. Refused: ``bool``, a finite number that
    would become infinite, an integer that would be rounded.
    """

    def __init__(self, arrow_type: pa.DataType, name: str) -> None:
        super().__init__(arrow_type, name, frozenset({float, np.float16, np.float32, np.float64}))
        self._exact = 2**24 if arrow_type.bit_width == 32 else 2**53
        self._max = float(np.finfo(np.float32 if arrow_type.bit_width == 32 else np.float64).max)

    def decode(self, column: pa.Array) -> List[Any]:
        return self._decode_numbers(column)

    def normalize(self, position: int, value: Any) -> float:
        if isinstance(value, (float, np.floating)) and not isinstance(value, np.longdouble):
            return float(value)
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
            self.refuse(position, value)
        if abs(int(value)) > self._exact:
            self.refuse(position, value, f", beyond the exact {self._exact}")
        return float(value)

    def _to_arrow(self, values: Sequence[Any]) -> pa.Array:
        array = super()._to_arrow(values)
        if self.arrow_type.bit_width == 32 and pc.any(pc.is_inf(array)).as_py():
            for position, value in enumerate(values):
                if value is not None and not math.isinf(value) and math.isinf(np.float32(value)):
                    self.refuse(position, value, f", beyond {self._max}")
        return array


class StringType(PlainType):
    """``str``, also its subclasses. Refused: ``bytes``, text with a lone surrogate."""

    def __init__(self, arrow_type: pa.DataType, name: str) -> None:
        super().__init__(arrow_type, name, frozenset({str}))

    def decode(self, column: pa.Array) -> List[Any]:
        return self._decode_objects(column)

    def normalize(self, position: int, value: Any) -> str:
        if not isinstance(value, str):
            self.refuse(position, value)
        text = str.__str__(value)
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            self.refuse(position, value, f", with a lone surrogate at index {error.start}")
        return text


class BytesType(PlainType):
    """``bytes``; also ``bytearray`` and ``memoryview``. ``str`` is refused."""

    def __init__(self, arrow_type: pa.DataType, name: str) -> None:
        super().__init__(arrow_type, name, frozenset({bytes, bytearray}))

    def decode(self, column: pa.Array) -> List[Any]:
        return self._decode_objects(column)

    def normalize(self, position: int, value: Any) -> bytes:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            self.refuse(position, value)
        return bytes(value)


class ByteListType(BytesType):
    """A list of BYTE, which PyFlink hands to Python as ``bytes``.

    Beside ``bytes`` it takes a list or tuple of integers from -128 to 127.
    """

    def normalize(self, position: int, value: Any) -> bytes:
        if not isinstance(value, (list, tuple)):
            return super().normalize(position, value)
        try:
            column = _BYTE.encode(value, nullable=False)
        except Misfit as misfit:
            raise misfit.moved(position, f"[{misfit.position}]") from None
        return column.buffers()[1].to_pybytes()[: len(value)] if value else b""


class ConvertedType(PlainType):
    """A type whose values Arrow does not know, so that each is converted on its own."""

    def __init__(self, arrow_type: pa.DataType, name: str) -> None:
        super().__init__(arrow_type, name, frozenset())

    def decode(self, column: pa.Array) -> List[Any]:
        convert = self.from_wire
        return [v if v is None else convert(v) for v in column.to_pylist()]

    @abstractmethod
    def from_wire(self, value: Any) -> Any:
        """Returns the Python value of what Arrow returned."""


class CharType(ConvertedType):
    """A ``str`` of one character of the basic multilingual plane that is no surrogate."""

    def from_wire(self, value: int) -> str:
        return chr(value)

    def normalize(self, position: int, value: Any) -> int:
        if not isinstance(value, str) or len(value) != 1:
            self.refuse(position, value, ", not one character")
        code = ord(value)
        if code > 0xFFFF or 0xD800 <= code <= 0xDFFF:
            self.refuse(position, value, f", which is no UTF-16 character: U+{code:04X}")
        return code


class BigIntType(ConvertedType):
    """``int`` of any size; also numpy integers. ``bool`` and floats are refused."""

    def from_wire(self, value: bytes) -> int:
        return int.from_bytes(value, "big", signed=True)

    def normalize(self, position: int, value: Any) -> bytes:
        if not isinstance(value, (int, np.integer)) or isinstance(value, bool):
            self.refuse(position, value)
        number = int(value)
        return number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)


class BigDecType(ConvertedType):
    """``decimal.Decimal``, whose digits and exponent are kept; also ``int``.

    Refused: floats, NaN and infinities, exponents that Java's ``BigDecimal`` does not have.
    A negative zero becomes zero, as ``BigDecimal`` has none.
    """

    _MAX_EXPONENT = 2**31 - 1

    def from_wire(self, value: str) -> decimal.Decimal:
        return decimal.Decimal(value)

    def normalize(self, position: int, value: Any) -> str:
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            # str() of a large int would exceed Python's limit on digits.
            value = decimal.Decimal(int(value))
        if not isinstance(value, decimal.Decimal):
            self.refuse(position, value)
        if not value.is_finite():
            self.refuse(position, value, ", which is not finite")
        exponent = int(value.as_tuple().exponent)
        if abs(exponent) > self._MAX_EXPONENT or abs(value.adjusted()) > self._MAX_EXPONENT:
            self.refuse(position, value, f", with exponent {exponent}")
        return decimal.Decimal.__str__(value)


class DateType(PlainType):
    """``datetime.date``. A ``datetime`` is refused, as its time of day would be lost."""

    def __init__(self, arrow_type: pa.DataType, name: str) -> None:
        super().__init__(arrow_type, name, frozenset({datetime.date}))

    def normalize(self, position: int, value: Any) -> datetime.date:
        if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
            self.refuse(position, value)
        return datetime.date(value.year, value.month, value.day)


class TimeType(PlainType):
    """``datetime.time`` without a zone.

    SQL_TIME drops what is below a millisecond, as PyFlink does and ``java.sql.Time`` must;
    LOCAL_TIME keeps microseconds.
    """

    def __init__(self, arrow_type: pa.DataType, name: str) -> None:
        super().__init__(arrow_type, name, frozenset())

    def normalize(self, position: int, value: Any) -> datetime.time:
        if not isinstance(value, datetime.time):
            self.refuse(position, value)
        if value.tzinfo is not None:
            self.refuse(position, value, ", which has a time zone")
        return value


class TimestampType(PlainType):
    """``datetime.datetime`` without a zone, to the microsecond.

    Refused: one with a zone, whose zone would be lost; a pandas ``Timestamp`` with nanoseconds.
    """

    def __init__(self, arrow_type: pa.DataType, name: str) -> None:
        super().__init__(arrow_type, name, frozenset())

    def normalize(self, position: int, value: Any) -> datetime.datetime:
        if not isinstance(value, datetime.datetime):
            self.refuse(position, value)
        if value.tzinfo is not None:
            self.refuse(position, value, ", which has a time zone")
        if type(value) is datetime.datetime:
            return value
        if getattr(value, "nanosecond", 0) != 0:
            self.refuse(position, value, ", which has nanoseconds")
        return datetime.datetime.combine(
            datetime.date(value.year, value.month, value.day), value.time()
        )


class PickledType(ConvertedType):
    """Any object that cloudpickle takes. Where null is allowed, ``None`` is null."""

    encodes_none = True

    def from_wire(self, value: bytes) -> Any:
        return cloudpickle.loads(value)

    def encode(self, values: Sequence[Any], nullable: bool) -> pa.Array:
        pickled = [
            None if v is None and nullable else self.normalize(i, v) for i, v in enumerate(values)
        ]
        return self._to_arrow(pickled)

    def normalize(self, position: int, value: Any) -> bytes:
        try:
            pickled: bytes = cloudpickle.dumps(value)
        except Exception as error:
            why = f"{type(error).__name__}: {_message(error)}"
            self.refuse(position, value, f", which does not pickle: {why}")
        return pickled


class InstantType(ElementType):
    """PyFlink's ``Instant`` within the range of Java's; ``None`` is allowed everywhere."""

    # Java's Instant.MIN and Instant.MAX.
    _MIN_SECOND = -31557014167219200
    _MAX_SECOND = 31556889864403199

    def decode(self, column: pa.Array) -> List[Any]:
        seconds = column.field(0).to_pylist()
        nanos = column.field(1).to_pylist()
        valid = column.is_valid().to_pylist()
        return [Instant(s, n) if v else None for s, n, v in zip(seconds, nanos, valid)]

    def encode(self, values: Sequence[Any], nullable: bool) -> pa.Array:
        seconds, nanos = [], []
        for position, value in enumerate(values):
            if value is None:
                if not nullable:
                    self.refuse(position, value)
                seconds.append(0)
                nanos.append(0)
            else:
                self._check(position, value)
                seconds.append(int(value.seconds))
                nanos.append(int(value.nanos))
        children = [pa.array(seconds, pa.int64()), pa.array(nanos, pa.int32())]
        return _nested(self.arrow_type, values, [], children)

    def _check(self, position: int, value: Any) -> None:
        if not isinstance(value, Instant):
            self.refuse(position, value)
        for part in (value.seconds, value.nanos):
            if not isinstance(part, (int, np.integer)) or isinstance(part, bool):
                self.refuse(position, value, f" with {describe(part)}")
        if not self._MIN_SECOND <= value.seconds <= self._MAX_SECOND:
            self.refuse(position, value, f" with seconds={describe(value.seconds)}")
        if not 0 <= value.nanos < 1_000_000_000:
            self.refuse(position, value, f" with nanos={describe(value.nanos)}")


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
        ends = column.offsets.to_pylist()
        if not ends:
            return []
        first = ends[0]
        elements = self._element.decode(column.values.slice(first, ends[-1] - first))
        _check_nulls(self._element, elements, self._nullable_elements)
        lists: List[Any] = [
            elements[ends[i] - first : ends[i + 1] - first] for i in range(len(ends) - 1)
        ]
        return _with_nulls(column, lists)

    def encode(self, values: Sequence[Any], nullable: bool) -> pa.Array:
        kinds = set(map(type, values))
        if _NONE in kinds and not nullable:
            self.refuse_null(values)
        offsets = self._offsets(values, kinds)
        if kinds == {np.ndarray} and all(v.dtype == self._numpy_dtype for v in values):
            elements = pa.array(np.concatenate(values), type=self.arrow_type.value_type)
        else:
            elements = self._encode_elements(values, offsets)
        return _nested(self.arrow_type, values, [_offsets_buffer(offsets)], [elements])

    def _offsets(self, values: Sequence[Any], kinds: "set[type]") -> List[int]:
        if not kinds <= {list, tuple, _NONE}:
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
        ends = column.offsets.to_pylist()
        if not ends:
            return []
        first, length = ends[0], ends[-1] - ends[0]
        keys = self._key.decode(column.keys.slice(first, length))
        _check_nulls(self._key, keys, False)
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
        return _with_nulls(column, maps)

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
        return _nested(self.arrow_type, values, [_offsets_buffer(offsets)], [entries])

    @staticmethod
    def _encode_part(
        part: ElementType, values: List[Any], offsets: List[int], path: str
    ) -> pa.Array:
        try:
            return part.encode(values, nullable=path == "{value}")
        except Misfit as misfit:
            raise misfit.moved(_owner(offsets, misfit.position)[0], path) from None


class Fields:
    """Named columns of equal length, of a batch or of a struct."""

    def __init__(self, fields: Sequence[pa.Field]) -> None:
        self.names = [field.name for field in fields]
        self.nullable = [field.nullable for field in fields]
        self.types = [element_type(field) for field in fields]

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
            return _nested(self.arrow_type, values, [], self.encode_columns(values))
        if not nullable:
            self.refuse_null(values)
        try:
            present = self.encode_columns([values[i] for i in positions])
        except Misfit as misfit:
            raise misfit.moved(positions[misfit.position], "") from None
        ranks = iter(range(len(positions)))
        spread = pa.array([None if v is None else next(ranks) for v in values], pa.int64())
        columns = [column.take(spread) for column in present]
        return _nested(self.arrow_type, values, [], columns)


class TupleType(CompositeType):
    """``tuple`` of the right length, also a named one. Fields may not be ``None``."""

    def __init__(
        self, arrow_type: Optional[pa.DataType], name: str, fields: Sequence[pa.Field]
    ) -> None:
        super().__init__(arrow_type, f"{name} of {len(fields)} fields")
        self._fields = Fields(fields)

    def decode_columns(self, columns: Sequence[pa.Array]) -> List[Any]:
        values = self._fields.decode(columns)
        for kind, nullable, column in zip(self._fields.types, self._fields.nullable, values):
            _check_nulls(kind, column, nullable)
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
    """

    def __init__(
        self, arrow_type: Optional[pa.DataType], name: str, fields: Sequence[pa.Field]
    ) -> None:
        super().__init__(arrow_type, f"{name} of {len(fields) - 1} fields")
        # The first field holds the row's kind.
        self._fields = Fields(fields[1:])
        self._kinds = {kind.value: kind for kind in RowKind}

    def decode_columns(self, columns: Sequence[pa.Array]) -> List[Any]:
        kinds = _BYTE.decode(columns[0])
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
                f" with fields {_shortened(str(list(names)))} instead of {_shortened(str(wanted))}",
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


def _nested(
    arrow_type: pa.DataType,
    values: Sequence[Any],
    buffers: List[pa.Buffer],
    children: List[pa.Array],
) -> pa.Array:
    """A column of a nested type, null where the value is ``None``.

    From buffers, because the constructors of pyarrow 16 refuse null members of null structs.
    """
    present = [v is not None for v in values]
    nulls = present.count(False)
    validity = pa.array(present, pa.bool_()).buffers()[1] if nulls else None
    return pa.Array.from_buffers(
        arrow_type, len(values), [validity, *buffers], null_count=nulls, children=children
    )


def _with_nulls(column: pa.Array, values: List[Any]) -> List[Any]:
    if column.null_count:
        for position, valid in enumerate(column.is_valid().to_pylist()):
            if not valid:
                values[position] = None
    return values


def _check_nulls(kind: ElementType, values: List[Any], nullable: bool) -> None:
    if not nullable and not kind.encodes_none and _NONE in set(map(type, values)):
        raise MalformedBatch(f"a field of type {kind.name} is null, but takes no null")


def _numpy_dtype(arrow_type: pa.DataType) -> Optional[Any]:
    """The dtype whose arrays Arrow takes as they are, if the type is a number."""
    if pa.types.is_signed_integer(arrow_type) or pa.types.is_floating(arrow_type):
        return np.dtype(arrow_type.to_pandas_dtype())
    return None


_BYTE = IntegerType(pa.int8(), "BYTE")

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
    """Builds a row or tuple type of the given fields."""
    return (RowType if name == "ROW" else TupleType)(arrow_type, name, fields)
