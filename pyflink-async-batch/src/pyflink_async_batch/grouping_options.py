"""What elements say of the batches that they join: checks of these options."""

import inspect
from dataclasses import dataclass
from typing import Any, Callable, Optional, Sequence, Tuple

from pyflink_async_batch.errors import InvalidOptionError, InvalidOptionTypeError
from pyflink_async_batch.option_checks import MAX_JAVA_LONG, positive_int

__all__ = ["CoalesceKey", "GroupingOptions", "Weigh"]

#: What an element weighs, at least 0.
Weigh = Optional[Callable[[Any], int]]

#: What an element is equal by: a str, bytes or an int, or None for no other.
CoalesceKey = Optional[Callable[[Any], Any]]


@dataclass(frozen=True)
class GroupingOptions:
    """Checked options of one operator; without any, batches are runs of neighbours."""

    weigh: Weigh
    max_batch_weight: Optional[int]
    length_buckets: Tuple[int, ...]
    coalesce_key: CoalesceKey

    @property
    def looks_at_elements(self) -> bool:
        """Whether a function of the user's says something of each element."""
        return self.weigh is not None or self.coalesce_key is not None

    @staticmethod
    def of(
        *,
        weigh: Weigh,
        max_batch_weight: Optional[int],
        length_buckets: Sequence[int],
        coalesce_key: CoalesceKey,
        closes_in_time: bool,
    ) -> "GroupingOptions":
        """
        Checks what a user gave.

        :param closes_in_time: Whether a batch that does not fill up closes after a while.
        :raises InvalidOptionError: An option is out of its range, or contradicts another.
        :raises InvalidOptionTypeError: An option is of a wrong type.
        """
        buckets = _length_buckets(length_buckets)
        if weigh is not None and max_batch_weight is None and not buckets:
            raise InvalidOptionError(
                "max_batch_weight", None, "given where weigh is, or length_buckets"
            )
        if weigh is None and (max_batch_weight is not None or buckets):
            given = "length_buckets" if buckets else "max_batch_weight"
            raise InvalidOptionError("weigh", None, f"given where {given} is")
        if buckets and not closes_in_time:
            # An element of a rare length would wait for others without a bound.
            raise InvalidOptionError(
                "batch_timeout", None, "given where length_buckets is, or latency_target"
            )
        return GroupingOptions(
            weigh=_function_of_elements("weigh", weigh),
            max_batch_weight=(
                None
                if max_batch_weight is None
                else positive_int("max_batch_weight", max_batch_weight, MAX_JAVA_LONG)
            ),
            length_buckets=buckets,
            coalesce_key=_function_of_elements("coalesce_key", coalesce_key),
        )


def _length_buckets(value: Any) -> Tuple[int, ...]:
    accepted = "a sequence of ints, each larger than the one before"
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise InvalidOptionTypeError("length_buckets", value, accepted)
    bounds = tuple(positive_int("length_buckets", bound, MAX_JAVA_LONG) for bound in value)
    if any(bound <= before for before, bound in zip(bounds, bounds[1:])):
        raise InvalidOptionError("length_buckets", value, accepted)
    return bounds


def _function_of_elements(option: str, value: Any) -> Any:
    accepted = "None or a function of an element"
    if value is not None and not callable(value):
        raise InvalidOptionTypeError(option, value, accepted)
    if inspect.iscoroutinefunction(value):
        raise InvalidOptionTypeError(option, value, f"{accepted} that is not async")
    return value
