"""The types without fields or elements: numbers, text, bytes, times, and pickled objects.

Arrow itself would take ``1.5`` for an int64, ``b"x"`` for a string and a datetime with a zone for
one without, and change them silently. So every type first looks at the classes of the values, at C
speed, and only classes that convert without loss go the fast way; the others are looked at one by
one.
"""

import datetime
import decimal
import math
from abc import abstractmethod
from typing import Any, FrozenSet, List, Sequence

import cloudpickle
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyflink.common.time import Instant

from pyflink_async_batch._worker.element_type import (
    NONE,
    ElementType,
    Misfit,
    describe,
    message,
    nested,
    with_nulls,
)


class PlainType(ElementType):
    """A type whose columns cross in one call, once the classes of all values are known to fit.

    :param fast: classes whose values Arrow converts without loss or raises for
    """

    def __init__(self, arrow_type: pa.DataType, name: str, fast: FrozenSet[type]) -> None:
        super().__init__(arrow_type, name)
        self._fast = fast | {NONE}

    def decode(self, column: pa.Array) -> List[Any]:
        values: List[Any] = column.to_pylist()
        return values

    @staticmethod
    def _decode_numbers(column: pa.Array) -> List[Any]:
        # Ten times as fast as to_pylist(), which makes a scalar object of each value.
        filled = column.fill_null(0) if column.null_count else column
        values: List[Any] = filled.to_numpy(zero_copy_only=False).tolist()
        return with_nulls(column, values)

    @staticmethod
    def _decode_objects(column: pa.Array) -> List[Any]:
        # As fast; nulls become None. Equal values may be one object, which text and bytes allow.
        values: List[Any] = column.to_numpy(zero_copy_only=False).tolist()
        return values

    def encode(self, values: Sequence[Any], nullable: bool) -> pa.Array:
        kinds = set(map(type, values))
        if NONE in kinds and not nullable:
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
            column = BYTE.encode(value, nullable=False)
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
            why = f"{type(error).__name__}: {message(error)}"
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
        return nested(self.arrow_type, values, [], children)

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


#: The type of a list's bytes and of a row's kind.
BYTE = IntegerType(pa.int8(), "BYTE")
