"""What the values of options must be, and what is said of those that are not."""

import math
import operator
from datetime import timedelta
from numbers import Real
from typing import Any, Sequence, Union

import numpy as np
from pyflink.common import Duration, Time

from pyflink_async_batch.errors import InvalidOptionError, InvalidOptionTypeError

__all__ = [
    "MAX_JAVA_INT",
    "MAX_JAVA_LONG",
    "DurationLike",
    "Shown",
    "flag",
    "one_of",
    "positive_int",
    "positive_millis",
    "share",
]

#: What every option that is a length of time accepts.
DurationLike = Union[Time, Duration, timedelta]

MAX_JAVA_INT = 2**31 - 1
MAX_JAVA_LONG = 2**63 - 1
# 36,500 days, as in Java: the operator's clocks count nanoseconds in a Java long.
_MAX_MILLIS = 36_500 * 86_400_000

_DURATION = "a pyflink.common.Time, a pyflink.common.Duration or a datetime.timedelta"
_POSITIVE_DURATION = f"positive, from 1 to {_MAX_MILLIS} milliseconds"


def positive_int(option: str, value: Any, largest: int) -> int:
    """:raises AsyncBatchError: The value is no integer from 1 to ``largest``."""
    accepted = f"an int from 1 to {largest}"
    # Both are integers to operator.index, but batch_size=True is a mistake.
    if isinstance(value, (bool, np.bool_)):
        raise InvalidOptionTypeError(option, value, accepted)
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidOptionTypeError(option, value, accepted) from None
    if number < 1:
        raise InvalidOptionError(option, number, f"positive ({accepted})")
    if number > largest:
        raise InvalidOptionError(option, number, accepted)
    return number


def positive_millis(option: str, value: Any, or_else: str = "") -> int:
    """
    :return: A length of time in whole milliseconds, at least 1.
    :raises AsyncBatchError: The value is no length of time, or out of range.
    """
    accepted = or_else + _DURATION
    if isinstance(value, timedelta):
        micros = (value.days * 86_400 + value.seconds) * 1_000_000 + value.microseconds
        nanos = micros * 1_000
        shown = str(value)
    elif isinstance(value, Duration):
        j_duration = value._j_duration
        nanos = j_duration.getSeconds() * 1_000_000_000 + j_duration.getNano()
        shown = str(j_duration.toString())
    elif isinstance(value, Time):
        millis = value.to_milliseconds()
        shown = f"{millis!r} milliseconds"
        # Time.seconds(0.5) is common and holds a float; Time itself checks nothing.
        if isinstance(millis, bool) or not isinstance(millis, (int, float)):
            raise InvalidOptionTypeError(option, millis, f"{accepted} that holds a number")
        if not math.isfinite(millis):
            raise InvalidOptionError(option, Shown(shown), _POSITIVE_DURATION)
        nanos = round(millis * 1_000_000)
    else:
        raise InvalidOptionTypeError(option, value, accepted)

    rounded = (nanos + 500_000) // 1_000_000
    if not 1 <= rounded <= _MAX_MILLIS:
        raise InvalidOptionError(option, Shown(shown), _POSITIVE_DURATION)
    return rounded


def share(option: str, value: Any, may_be_zero: bool = False) -> float:
    """:raises AsyncBatchError: The value is no number up to 1, above 0 or from it."""
    accepted = "a number %s 0 and at most 1" % ("of at least" if may_be_zero else "above")
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise InvalidOptionTypeError(option, value, accepted)
    number = float(value)
    if not (0 < number <= 1 or (may_be_zero and number == 0)):
        raise InvalidOptionError(option, value, accepted)
    return number


def one_of(option: str, value: Any, accepted: Sequence[str]) -> str:
    """:raises AsyncBatchError: The value is none of the accepted ones."""
    listed = " or ".join(map(repr, accepted))
    if not isinstance(value, str):
        raise InvalidOptionTypeError(option, value, listed)
    if value not in accepted:
        raise InvalidOptionError(option, value, listed)
    return value


def flag(option: str, value: Any) -> bool:
    """:raises AsyncBatchError: The value is neither True nor False."""
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidOptionTypeError(option, value, "True or False")
    return bool(value)


class Shown(str):
    """A value whose text is shown in an error as it is, without quotes."""

    def __repr__(self) -> str:
        return str(self)
