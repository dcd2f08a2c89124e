"""A retry strategy for batched async functions, beside those of PyFlink."""

import random
from datetime import timedelta
from typing import Any, Callable, List, Optional, TypeVar

from pyflink.datastream.async_retry_strategies import RetryPredicate
from pyflink.datastream.functions import AsyncRetryPredicate, AsyncRetryStrategy

from pyflink_async_batch.errors import InvalidOptionError, InvalidOptionTypeError
from pyflink_async_batch.option_checks import DurationLike, positive_int, positive_millis

__all__ = ["ExponentialBackoffRetryStrategy"]

OUT = TypeVar("OUT")

_MAX_RETRIES = 2**31 - 1
# Keeps the delay far from an overflow of the operator's clock.
_MAX_DELAY = timedelta(days=365)


class ExponentialBackoffRetryStrategy(AsyncRetryStrategy):  # type: ignore[misc]
    """
    Repeats a call after a delay that grows with each attempt, with full jitter if wanted. Unlike
    PyFlink's strategy of that kind it keeps nothing from one attempt to the next. Without a
    predicate no call is repeated.

    :param max_retries: How often a call is repeated at most.
    :param initial_delay: The delay before the first repetition.
    :param max_delay: The delay grows no further than this; by default a year.
    :param multiplier: What each delay is of the one before, at least 1.
    :param full_jitter: Draw each delay evenly from zero up to what it would be without, which
                        spreads calls that failed together.
    :param result_predicate: Given all results of a batch, tells whether to repeat the call.
    :param exception_predicate: Given what the call raised, tells whether to repeat it.
    :raises InvalidOptionError: An argument is out of its range.
    :raises InvalidOptionTypeError: An argument is of a wrong type.
    """

    def __init__(
        self,
        max_retries: int,
        initial_delay: DurationLike,
        *,
        max_delay: DurationLike = _MAX_DELAY,
        multiplier: float = 2.0,
        full_jitter: bool = False,
        result_predicate: Optional[Callable[[List[Any]], bool]] = None,
        exception_predicate: Optional[Callable[[BaseException], bool]] = None,
    ) -> None:
        self._max_retries = positive_int("max_retries", max_retries, _MAX_RETRIES)
        self._initial_delay = positive_millis("initial_delay", initial_delay)
        self._max_delay = min(
            positive_millis("max_delay", max_delay), _MAX_DELAY // timedelta(milliseconds=1)
        )
        self._multiplier = _multiplier(multiplier)
        self._full_jitter = bool(full_jitter)
        self._result_predicate = _predicate("result_predicate", result_predicate)
        self._exception_predicate = _predicate("exception_predicate", exception_predicate)

    def can_retry(self, current_attempts: int) -> bool:
        return current_attempts <= self._max_retries

    def get_backoff_time_millis(self, current_attempts: int) -> int:
        try:
            grown = self._initial_delay * self._multiplier ** max(0, current_attempts - 1)
        except OverflowError:
            grown = self._max_delay
        delay = int(min(grown, self._max_delay))
        return random.randint(0, delay) if self._full_jitter else delay

    def get_retry_predicate(self) -> AsyncRetryPredicate:
        return RetryPredicate(self._result_predicate, self._exception_predicate)


def _multiplier(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidOptionTypeError("multiplier", value, "a number")
    if not 1 <= value < float("inf"):
        raise InvalidOptionError("multiplier", value, "a finite number of at least 1")
    return float(value)


def _predicate(option: str, value: Any) -> Any:
    if value is not None and not callable(value):
        raise InvalidOptionTypeError(option, value, "None or a callable")
    return value
