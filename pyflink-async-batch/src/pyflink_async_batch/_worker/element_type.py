"""What every type of the codec builds on: the class of all types, and what goes wrong.

A type converts a whole column at a time: plain columns cross between Python and Arrow in one call,
composite ones loop over their children's columns.

Here live :class:`ElementType`, the errors :class:`MalformedBatch` and :class:`Misfit` with the
words they are put in, and what several types need for their nulls.
"""

import datetime
from abc import ABC, abstractmethod
from typing import Any, List, NoReturn, Sequence

import numpy as np
import pyarrow as pa

__all__ = ["ElementType", "MalformedBatch", "Misfit", "describe"]

#: The class of ``None``, which a column of nothing but nulls has alone.
NONE = type(None)

_MAX_REPR = 100


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
        return f"{name} {shortened(repr(value[:_MAX_REPR]))}"
    if kind is int and value.bit_length() > 256:
        return f"int of {value.bit_length()} bits"
    if kind in (bool, int, float, datetime.date, datetime.time) or isinstance(value, np.generic):
        return f"{name} {shortened(repr(value))}"
    return name


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def message(error: Exception) -> str:
    try:
        return shortened(str(error))
    except Exception:
        return "its message cannot be shown"


def shortened(text: str) -> str:
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


def nested(
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


def with_nulls(column: pa.Array, values: List[Any]) -> List[Any]:
    if column.null_count:
        for position, valid in enumerate(column.is_valid().to_pylist()):
            if not valid:
                values[position] = None
    return values


def check_nulls(kind: ElementType, values: List[Any], nullable: bool) -> None:
    if not nullable and not kind.encodes_none and NONE in set(map(type, values)):
        raise MalformedBatch(f"a field of type {kind.name} is null, but takes no null")
