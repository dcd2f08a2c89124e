"""The options that say how much a backend is asked to do at a time."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Optional, Union

from pyflink_async_batch.errors import InvalidOptionError, InvalidOptionTypeError
from pyflink_async_batch.option_checks import (
    MAX_JAVA_INT,
    DurationLike,
    Shown,
    one_of,
    positive_int,
    positive_millis,
    share,
)

__all__ = [
    "ADAPTIVE",
    "AdaptiveConcurrency",
    "CircuitBreaker",
    "Concurrency",
    "Hedging",
    "OverloadOptions",
    "RetryBudget",
]

#: Stands for an :class:`AdaptiveConcurrency` of nothing but defaults.
ADAPTIVE = "adaptive"

_BACK_PRESSURE = "back_pressure"
_FAIL_FAST = "fail_fast"
_WHEN_OPEN = (_BACK_PRESSURE, _FAIL_FAST, "fail_job")
_LEAST_PERCENTILE = 0.5
_MOST_PERCENTILE = 0.99
# As many as are remembered.
_MOST_LEAST_CALLS = 256
_CONCURRENCY = f"None, an int, {ADAPTIVE!r} or a pyflink_async_batch.AdaptiveConcurrency"


@dataclass(frozen=True)
class AdaptiveConcurrency:
    """
    A number of calls in flight that is found from how long calls take and how they end: just as
    many as use the backend fully. See ``docs/overload.md``.

    :param least: The fewest calls that are ever allowed, by default 1.
    :param most: The most calls that are ever allowed, by default as many as ``capacity`` allows.
    :param initial: How many calls it begins with, within these; by default 4, or what is nearest to
                    it.
    :raises AsyncBatchError: An argument is not accepted.
    """

    least: int = 1
    most: Optional[int] = None
    initial: Optional[int] = None

    def __post_init__(self) -> None:
        least = positive_int("least", self.least, MAX_JAVA_INT)
        most = MAX_JAVA_INT
        if self.most is not None:
            most = positive_int("most", self.most, MAX_JAVA_INT)
            if most < least:
                raise InvalidOptionError("most", most, f"at least least={least}")
        if self.initial is not None:
            initial = positive_int("initial", self.initial, MAX_JAVA_INT)
            if initial < least:
                raise InvalidOptionError("initial", initial, f"at least least={least}")
            if initial > most:
                raise InvalidOptionError("initial", initial, f"at most most={most}")


#: What ``concurrency`` accepts.
Concurrency = Union[int, str, AdaptiveConcurrency, None]


@dataclass(frozen=True)
class CircuitBreaker:
    """
    When calls to a backend that fails stop, how its return is found out, and what becomes of rows
    meanwhile. Only what says that the backend is overloaded or away counts as a failure: a
    :class:`~pyflink_async_batch.RetryLater`, HTTP's 429 and 503, gRPC's ``UNAVAILABLE`` and
    ``RESOURCE_EXHAUSTED``, a ``ConnectionError``, a ``TimeoutError``, and a batch whose ``timeout``
    passes. See ``docs/overload.md``.

    Every length of time is a ``pyflink.common.Time``, a ``pyflink.common.Duration`` or a
    ``datetime.timedelta``, is rounded to milliseconds, and must then be positive.

    :param window_calls: So many calls are judged, the last ones; by default 32.
    :param window: And of these only those that ended in so long a time; by default 30 seconds.
    :param least_calls: Nothing is judged before so many, at most ``window_calls``; by default 10.
    :param failure_rate: Calls stop when this share of them failed, above 0 and at most 1; by
                         default 0.5.
    :param slow_call: A call that takes longer is slow; by default none is.
    :param slow_call_rate: Calls stop when this share of them was slow too, above 0 and at most 1;
                           by default 1. Needs ``slow_call``.
    :param first_pause: How long no call is made the first time; by default 0.5 seconds. Doubles
                        with each time that the backend is still away.
    :param longest_pause: It grows no further than this; by default 1.5 seconds.
    :param probes: So many calls must succeed in a row after a pause; by default 3.
    :param when_open: What becomes of batches while calls have stopped. With ``"back_pressure"``,
                      the default, they wait and the input is held back; with ``"fail_fast"`` they
                      fail without a call, which needs ``on_failure`` to be ``"dead_letter"`` or
                      ``"skip"``; with ``"fail_job"`` the job fails.
    :raises AsyncBatchError: An argument is not accepted.
    """

    window_calls: int = 32
    window: DurationLike = timedelta(seconds=30)
    least_calls: int = 10
    failure_rate: float = 0.5
    slow_call: Optional[DurationLike] = None
    slow_call_rate: float = 1.0
    first_pause: DurationLike = timedelta(milliseconds=500)
    longest_pause: DurationLike = timedelta(milliseconds=1_500)
    probes: int = 3
    when_open: str = _BACK_PRESSURE

    def __post_init__(self) -> None:
        calls = positive_int("window_calls", self.window_calls, MAX_JAVA_INT)
        positive_millis("window", self.window)
        least = positive_int("least_calls", self.least_calls, MAX_JAVA_INT)
        if least > calls:
            raise InvalidOptionError("least_calls", least, f"at most window_calls={calls}")
        share("failure_rate", self.failure_rate)
        slow_rate = share("slow_call_rate", self.slow_call_rate)
        if self.slow_call is not None:
            positive_millis("slow_call", self.slow_call, "None or ")
        elif slow_rate != 1:
            raise InvalidOptionError(
                "slow_call", None, "set where slow_call_rate is, as no call is slow otherwise"
            )
        first = positive_millis("first_pause", self.first_pause)
        longest = positive_millis("longest_pause", self.longest_pause)
        if longest < first:
            raise InvalidOptionError(
                "longest_pause", Shown(f"{longest} ms"), f"at least first_pause={first} ms"
            )
        positive_int("probes", self.probes, MAX_JAVA_INT)
        one_of("when_open", self.when_open, _WHEN_OPEN)

    @property
    def fails_fast(self) -> bool:
        """Whether batches fail without a call while calls have stopped."""
        return self.when_open == _FAIL_FAST


@dataclass(frozen=True)
class RetryBudget:
    """
    How many calls may be repeated, so that retries never multiply the load of a backend that fails:
    over the last ten seconds a share of the calls that succeeded in them, and a few more. A retry
    for which there is nothing left waits, until its batch's ``timeout`` if need be. See
    ``docs/overload.md``.

    :param share: Retries a success, from 0 to 1; by default 0.1.
    :param reserve: Retries that any ten seconds may have beyond that, at least 1; by default 10.
    :raises AsyncBatchError: An argument is not accepted.
    """

    share: float = 0.1
    reserve: int = 10

    def __post_init__(self) -> None:
        share("share", self.share, may_be_zero=True)
        positive_int("reserve", self.reserve, MAX_JAVA_INT)


@dataclass(frozen=True)
class Hedging:
    """
    When a batch that takes long is called for a second time while its first call goes on; the first
    result counts, and the other call is cancelled. Every such call is taken from the
    ``retry_budget``. See ``docs/overload.md``.

    **The function must be idempotent**: it is called twice for the same rows, at the same time.
    What it writes, charges or counts happens twice.

    :param percentile: The share of the last calls that were quicker than what is called for again,
                       from 0.5 to 0.99; by default 0.95. Calls are compared with what is usual for
                       their number of rows.
    :param min_delay: No second call is made before this; by default 10 milliseconds. A
                      ``pyflink.common.Time``, a ``pyflink.common.Duration`` or a
                      ``datetime.timedelta``, rounded to milliseconds, and then positive.
    :param least_calls: No second call is made before so many calls have ended, from 1 to 256; by
                        default 20.
    :raises AsyncBatchError: An argument is not accepted.
    """

    percentile: float = 0.95
    min_delay: DurationLike = timedelta(milliseconds=10)
    least_calls: int = 20

    def __post_init__(self) -> None:
        if not _LEAST_PERCENTILE <= share("percentile", self.percentile) <= _MOST_PERCENTILE:
            raise InvalidOptionError(
                "percentile",
                self.percentile,
                f"a number of at least {_LEAST_PERCENTILE} and at most {_MOST_PERCENTILE}",
            )
        positive_millis("min_delay", self.min_delay)
        positive_int("least_calls", self.least_calls, _MOST_LEAST_CALLS)

    def require_fits(self, timeout_millis: int, most_calls: int) -> None:
        """
        :param timeout_millis: How long a batch may take.
        :param most_calls: The most calls that are ever in flight.
        :raises InvalidOptionError: No second call could ever be made.
        """
        min_delay = positive_millis("min_delay", self.min_delay)
        if min_delay >= timeout_millis:
            raise InvalidOptionError(
                "hedging.min_delay", Shown(f"{min_delay} ms"), f"below timeout={timeout_millis} ms"
            )
        if most_calls < 2:
            raise InvalidOptionError(
                "concurrency",
                most_calls,
                "at least 2 where hedging is given, as a first call goes on beside its second",
            )


@dataclass(frozen=True)
class OverloadOptions:
    """Checked options of one operator; each is None where nothing bounds calls in that way."""

    concurrency: Union[int, AdaptiveConcurrency, None]
    backend: Optional[str]
    circuit_breaker: Optional[CircuitBreaker]
    retry_budget: Optional[RetryBudget]
    hedging: Optional[Hedging] = None

    @staticmethod
    def of(
        *,
        concurrency: Concurrency,
        backend: Optional[str],
        circuit_breaker: Optional[CircuitBreaker],
        retry_budget: Optional[RetryBudget],
        hedging: Optional[Hedging],
        timeout_millis: int,
        capacity: int,
        fails_job: bool,
    ) -> "OverloadOptions":
        """
        Checks what a user gave.

        :param timeout_millis: How long a batch may take.
        :param capacity: The most batches in flight, which a subtask's calls cannot exceed.
        :param fails_job: Whether the job fails where a row has no result.
        :raises InvalidOptionError: An option is out of its range, or contradicts another.
        :raises InvalidOptionTypeError: An option is of a wrong type.
        """
        checked = _concurrency(concurrency)
        _require_instance("circuit_breaker", circuit_breaker, CircuitBreaker)
        _require_instance("retry_budget", retry_budget, RetryBudget)
        _require_instance("hedging", hedging, Hedging)
        if backend is not None:
            _require_backend(backend, (checked, circuit_breaker, retry_budget))
        elif isinstance(checked, AdaptiveConcurrency):
            for name, bound in (
                ("least", checked.least),
                ("most", checked.most),
                ("initial", checked.initial),
            ):
                if bound is not None and bound > capacity:
                    raise InvalidOptionError(
                        f"concurrency.{name}", bound, f"at most capacity={capacity}"
                    )
        elif checked is not None and checked > capacity:
            raise InvalidOptionError("concurrency", checked, f"at most capacity={capacity}")
        if circuit_breaker is not None and circuit_breaker.fails_fast and fails_job:
            raise InvalidOptionError(
                "circuit_breaker.when_open",
                circuit_breaker.when_open,
                "'back_pressure' or 'fail_job', unless on_failure is 'dead_letter' or 'skip'",
            )
        if hedging is not None:
            if retry_budget is None:
                raise InvalidOptionError(
                    "retry_budget",
                    None,
                    "a pyflink_async_batch.RetryBudget where hedging is given, as its second calls"
                    " are taken from it",
                )
            hedging.require_fits(timeout_millis, _most_calls(checked, backend, capacity))
        return OverloadOptions(checked, backend, circuit_breaker, retry_budget, hedging)


def _most_calls(
    concurrency: Union[int, AdaptiveConcurrency, None], backend: Optional[str], capacity: int
) -> int:
    if concurrency is None:
        return MAX_JAVA_INT
    if not isinstance(concurrency, AdaptiveConcurrency):
        return concurrency
    return concurrency.most or (capacity if backend is None else MAX_JAVA_INT)


def _concurrency(value: Any) -> Union[int, AdaptiveConcurrency, None]:
    if value is None or isinstance(value, AdaptiveConcurrency):
        return value
    if isinstance(value, str):
        if value != ADAPTIVE:
            raise InvalidOptionError("concurrency", value, _CONCURRENCY)
        return AdaptiveConcurrency()
    try:
        return positive_int("concurrency", value, MAX_JAVA_INT)
    except InvalidOptionTypeError:
        raise InvalidOptionTypeError("concurrency", value, _CONCURRENCY) from None


def _require_instance(option: str, value: Any, wanted: type) -> None:
    if value is not None and not isinstance(value, wanted):
        raise InvalidOptionTypeError(
            option, value, f"None or a pyflink_async_batch.{wanted.__name__}"
        )


def _require_backend(backend: Any, shared: Any) -> None:
    if not isinstance(backend, str):
        raise InvalidOptionTypeError("backend", backend, "None or a str")
    if not backend.strip():
        raise InvalidOptionError("backend", backend, "None or a str that is not blank")
    if not any(option is not None for option in shared):
        raise InvalidOptionError(
            "backend",
            backend,
            "left out without concurrency, circuit_breaker and retry_budget, which it would share",
        )
