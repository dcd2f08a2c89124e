"""Random type information, and random values of it."""

import datetime
from dataclasses import dataclass
from typing import Any, Callable, List

from codec_types import LOCAL_DATE, LOCAL_DATETIME, LOCAL_TIME
from hypothesis import strategies as st
from pyflink.common import Row, RowKind, Types
from pyflink.common.time import Instant
from pyflink.common.typeinfo import TypeInformation


@dataclass(frozen=True)
class Typed:
    """A type and a strategy of its values.

    :param hashable: whether the values can be keys of a dict
    :param includes_none: whether ``None`` is among the type's values
    """

    type_info: TypeInformation
    values: st.SearchStrategy
    hashable: bool = True
    includes_none: bool = False

    def nullable(self) -> st.SearchStrategy:
        return st.one_of(st.none(), self.values)


@dataclass(frozen=True)
class Batch:
    """Some values of one type."""

    type_info: TypeInformation
    values: List[Any]


def _integers(bits: int) -> st.SearchStrategy:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def _millis(value: Any) -> Any:
    return value.replace(microsecond=value.microsecond // 1000 * 1000, fold=0)


def _whole_before_1970(time: datetime.datetime) -> datetime.datetime:
    # PyFlink rounds a fraction of a negative second the wrong way, by a whole second.
    return time.replace(microsecond=0, fold=0) if time.year < 1970 else _millis(time)


_TEXT = st.text(st.characters(blacklist_categories=["Cs"]), max_size=12)
_CHARS = st.characters(blacklist_categories=["Cs"], max_codepoint=0xFFFF)
_FLOATS = st.floats(width=32, allow_nan=False)
_DOUBLES = st.floats(allow_nan=False)
_DECIMALS = st.decimals(allow_nan=False, allow_infinity=False).map(
    lambda d: abs(d) if d == 0 else d
)
_INSTANTS = st.builds(
    Instant,
    st.integers(-31557014167219200, 31556889864403199),
    st.integers(0, 999_999_999),
)
_PICKLED = st.one_of(st.none(), _DOUBLES, st.dictionaries(_TEXT, st.lists(st.integers())))

# The values of every type here are those that PyFlink's own coders carry; what ours carry beyond
# is tested by example.
SCALARS = [
    Typed(Types.BOOLEAN(), st.booleans()),
    Typed(Types.BYTE(), _integers(8)),
    Typed(Types.SHORT(), _integers(16)),
    Typed(Types.INT(), _integers(32)),
    Typed(Types.LONG(), _integers(64)),
    Typed(Types.FLOAT(), _FLOATS),
    Typed(Types.DOUBLE(), _DOUBLES),
    Typed(Types.CHAR(), _CHARS),
    Typed(Types.STRING(), _TEXT),
    Typed(Types.BIG_INT(), _integers(64)),
    Typed(Types.BIG_DEC(), _DECIMALS),
    Typed(Types.SQL_DATE(), st.dates()),
    Typed(Types.SQL_TIME(), st.times().map(_millis)),
    Typed(
        Types.SQL_TIMESTAMP(),
        st.datetimes(datetime.datetime(1902, 1, 1), datetime.datetime(2037, 1, 1)).map(
            _whole_before_1970
        ),
    ),
    Typed(LOCAL_DATE, st.dates()),
    Typed(LOCAL_TIME, st.times().map(lambda t: t.replace(fold=0))),
    Typed(LOCAL_DATETIME, st.datetimes().map(lambda t: t.replace(fold=0))),
    Typed(Types.INSTANT(), st.one_of(st.none(), _INSTANTS), False, True),
    Typed(Types.PICKLED_BYTE_ARRAY(), _PICKLED, False, True),
    Typed(Types.PRIMITIVE_ARRAY(Types.BYTE()), st.binary(max_size=20)),
    Typed(Types.LIST(Types.BYTE()), st.binary(max_size=20), False),
    Typed(Types.PRIMITIVE_ARRAY(Types.FLOAT()), st.lists(_FLOATS, max_size=9), False),
    Typed(Types.PRIMITIVE_ARRAY(Types.LONG()), st.lists(_integers(64), max_size=9), False),
    Typed(Types.PRIMITIVE_ARRAY(Types.BOOLEAN()), st.lists(st.booleans(), max_size=9), False),
    Typed(Types.PRIMITIVE_ARRAY(Types.CHAR()), st.lists(_CHARS, max_size=9), False),
    Typed(
        Types.BASIC_ARRAY(Types.STRING()),
        st.lists(st.one_of(st.none(), _TEXT), max_size=5),
        False,
    ),
]


def _list(element: Typed) -> Typed:
    if element.type_info == Types.BYTE():
        # Among the scalars, as PyFlink's values of it are no lists.
        return Typed(Types.LIST(Types.BYTE()), st.binary(max_size=20), False)
    return Typed(Types.LIST(element.type_info), st.lists(element.values, max_size=4), False)


def _array(element: Typed) -> Typed:
    values = st.lists(element.nullable(), max_size=4)
    return Typed(Types.OBJECT_ARRAY(element.type_info), values, False)


def _map(key: Typed, value: Typed) -> Typed:
    entries = st.dictionaries(key.values, value.nullable(), max_size=4)
    return Typed(Types.MAP(key.type_info, value.type_info), entries, False)


def _tuple(fields: List[Typed]) -> Typed:
    return Typed(
        Types.TUPLE([f.type_info for f in fields]),
        st.tuples(*(f.values for f in fields)),
        all(f.hashable for f in fields),
    )


def _row(fields: List[Typed], kinds: List[RowKind]) -> Typed:
    names = [f"f{i}" for i in range(len(fields))]

    def row(kind: RowKind, values: Any) -> Row:
        made = Row.of_kind(kind, *values)
        made.set_field_names(names)
        return made

    return Typed(
        Types.ROW_NAMED(names, [f.type_info for f in fields]),
        st.builds(row, st.sampled_from(kinds), st.tuples(*(f.nullable() for f in fields))),
        False,
    )


def types(scalars: List[Typed], kinds: List[RowKind]) -> st.SearchStrategy:
    """Types nested a few levels deep."""
    nest: Callable[[Any], Any] = lambda inner: st.one_of(  # noqa: E731
        inner.map(_list),
        inner.map(_array),
        st.builds(_map, inner.filter(lambda t: t.hashable), inner),
        st.lists(inner, min_size=1, max_size=4).map(_tuple),
        st.lists(inner, min_size=1, max_size=4).map(lambda fields: _row(fields, kinds)),
    )
    return st.recursive(st.sampled_from(scalars), nest, max_leaves=5)


def _batches_of(types: st.SearchStrategy) -> st.SearchStrategy:
    return types.flatmap(
        lambda t: st.lists(t.values, max_size=12).map(lambda v: Batch(t.type_info, v))
    )


def batches() -> st.SearchStrategy:
    """Batches of values of random types."""
    return _batches_of(types(SCALARS, list(RowKind)))


def column_batches() -> st.SearchStrategy:
    """Batches of values of random types that functions on columns take."""
    unpickled = [t for t in SCALARS if t.type_info != Types.PICKLED_BYTE_ARRAY()]
    return _batches_of(types(unpickled, [RowKind.INSERT]))
