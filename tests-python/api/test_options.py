"""Which values each option accepts, and what the refusals say."""

from datetime import timedelta
from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyflink.common import Duration, Time
from pyflink.datastream import TimeDomain
from pyflink_async_batch import InvalidOptionError, InvalidOptionTypeError
from pyflink_async_batch.grouping_options import GroupingOptions
from pyflink_async_batch.options import AsyncBatchOptions
from pyflink_async_batch.overload_options import OverloadOptions

MAX_MILLIS = 36_500 * 24 * 60 * 60 * 1_000
ROWS = ["batch_size", "capacity"]
COUNTS = [
    *ROWS,
    "max_batch_bytes",
    "max_frame_bytes",
    "max_bytes_in_flight",
    "shared_memory_threshold",
]
DURATIONS = ["timeout", "batch_timeout", "open_timeout", "latency_target"]


def options(**changes: Any) -> AsyncBatchOptions:
    valid: dict[str, Any] = {"timeout": Time.seconds(1), "batch_size": 8}
    return AsyncBatchOptions.of(**{**valid, **changes})


def millis(option: str, value: Any) -> Any:
    return getattr(options(**{option: value}), f"{option}_millis")


def test_defaults() -> None:
    assert options() == AsyncBatchOptions(
        timeout_millis=1_000,
        batch_size=8,
        batch_timeout_millis=None,
        capacity=100,
        max_batch_bytes=32 * 1024 * 1024,
        max_frame_bytes=64 * 1024 * 1024,
        open_timeout_millis=600_000,
        batch_time_domain=TimeDomain.PROCESSING_TIME,
        latency_target_millis=None,
        max_bytes_in_flight=256 * 1024 * 1024,
        shared_memory_threshold=128 * 1024,
        resources=None,
        worker="own",
        worker_restart=None,
        stall_timeout_millis=None,
        on_failure="fail",
        isolate=False,
        overload=OverloadOptions(None, None, None, None),
        grouping=GroupingOptions(None, None, (), None),
        name="async batch wait operator",
    )


@pytest.mark.parametrize(("worker", "is_shared"), [("own", False), ("shared", True)])
def test_a_worker_is_the_subtasks_own_or_shared(worker: str, is_shared: bool) -> None:
    assert options(worker=worker).shares_worker == is_shared


def test_another_worker_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="worker must be 'own' or 'shared', got 'Shared'"):
        options(worker="Shared")
    with pytest.raises(InvalidOptionTypeError, match="worker must be 'own' or 'shared', got None"):
        options(worker=None)


@pytest.mark.parametrize("value", ["fail", "dead_letter", "skip"])
def test_what_becomes_of_failures_is_one_of_three(value: str) -> None:
    assert options(on_failure=value).on_failure == value


@pytest.mark.parametrize("value", ["DEAD_LETTER", "ignore", ""])
def test_another_fate_of_failures_is_refused(value: str) -> None:
    accepted = "on_failure must be 'fail' or 'dead_letter' or 'skip', got " + repr(value)
    with pytest.raises(InvalidOptionError, match=accepted):
        options(on_failure=value)
    with pytest.raises(InvalidOptionTypeError, match="on_failure must be 'fail' or .* got None"):
        options(on_failure=None)


@pytest.mark.parametrize("value", [True, False, np.bool_(True)])
def test_failures_are_isolated_or_not(value: Any) -> None:
    isolate = options(isolate=value).isolate
    # py4j knows no other kind of flag.
    assert type(isolate) is bool
    assert isolate == value


@pytest.mark.parametrize("value", [1, 0, None, "yes"])
def test_another_flag_is_refused(value: Any) -> None:
    with pytest.raises(InvalidOptionTypeError, match="isolate must be True or False, got"):
        options(isolate=value)


def test_what_is_in_flight_may_weigh_at_least_as_much_as_one_batch() -> None:
    assert options(max_batch_bytes=7, max_bytes_in_flight=7).max_bytes_in_flight == 7
    expected = "max_bytes_in_flight must be at least max_batch_bytes=33554432, got 33554431"
    with pytest.raises(InvalidOptionError, match=expected):
        options(max_bytes_in_flight=33554431)
    large = 2**30
    both = options(max_batch_bytes=large, max_frame_bytes=large)
    assert both.max_bytes_in_flight == large


@pytest.mark.parametrize("option", COUNTS)
@pytest.mark.parametrize("value", [1, 7, np.int8(7), np.int64(7), np.uint16(7), 2**30])
def test_positive_integers_are_accepted(option: str, value: Any) -> None:
    bytes_that_fit = {"max_batch_bytes": 1, "max_frame_bytes": 2**30}
    number = getattr(options(**{**bytes_that_fit, option: value}), option)
    assert number == value
    # py4j knows no other kind of integer.
    assert type(number) is int


@pytest.mark.parametrize("option", COUNTS)
@pytest.mark.parametrize("value", [0, -1, -(2**40), np.int64(0)])
def test_integers_must_be_positive(option: str, value: Any) -> None:
    with pytest.raises(InvalidOptionError, match=f"^{option} must be positive") as raised:
        options(**{option: value})
    assert f"got {int(value)}." in str(raised.value)
    assert raised.value.option == option


@pytest.mark.parametrize("option", ROWS)
def test_counts_of_rows_and_batches_must_fit_into_a_java_int(option: str) -> None:
    with pytest.raises(InvalidOptionError, match="an int from 1 to 2147483647, got 2147483648"):
        options(**{option: 2**31})


def test_a_frame_must_fit_into_a_buffer_of_the_jvm() -> None:
    largest = 2**31 - 1 - 16 * 1024 * 1024
    assert options(max_frame_bytes=largest).max_frame_bytes == largest
    with pytest.raises(InvalidOptionError, match=f"an int from 1 to {largest}, got {largest + 1}"):
        options(max_frame_bytes=largest + 1)


def test_a_batch_must_fit_into_a_frame() -> None:
    assert options(max_batch_bytes=1_000, max_frame_bytes=1_000).max_batch_bytes == 1_000
    expected = "max_batch_bytes must be at most max_frame_bytes=1000, got 1001"
    with pytest.raises(InvalidOptionError, match=expected):
        options(max_batch_bytes=1_001, max_frame_bytes=1_000)
    with pytest.raises(InvalidOptionError, match="at most max_frame_bytes=67108864, got"):
        options(max_batch_bytes=2**63 - 1)


@pytest.mark.parametrize("option", COUNTS)
@pytest.mark.parametrize("value", [True, 1.5, 2.0, "8", [8], np.float64(8), np.bool_(True)])
def test_other_kinds_of_numbers_are_refused(option: str, value: Any) -> None:
    with pytest.raises(InvalidOptionTypeError, match=f"^{option} must be an int from 1") as raised:
        options(**{option: value})
    assert f"of type '{type(value).__module__}".replace("'builtins", "'") in str(raised.value)


@pytest.mark.parametrize("option", sorted(set(COUNTS) - {"max_bytes_in_flight"}))
def test_a_number_is_needed_where_none_is_no_default(option: str) -> None:
    with pytest.raises(InvalidOptionTypeError, match=f"^{option} must be .* of type 'NoneType'"):
        options(**{option: None})


@pytest.mark.parametrize("option", DURATIONS)
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: Time.milliseconds(1), 1),
        (lambda: Time.seconds(2), 2_000),
        (lambda: Time.seconds(0.5), 500),
        (lambda: Duration.of_millis(250), 250),
        (lambda: Duration.of_nanos(1_600_000), 2),
        (lambda: Duration.of_days(1), 86_400_000),
        (lambda: timedelta(seconds=3), 3_000),
        (lambda: timedelta(microseconds=500), 1),
        (lambda: timedelta(milliseconds=MAX_MILLIS), MAX_MILLIS),
    ],
    ids=str,
)
def test_durations_are_converted(option: str, make: Callable[[], Any], expected: int) -> None:
    converted = millis(option, make())
    assert converted == expected
    assert type(converted) is int


@given(st.integers(min_value=1, max_value=MAX_MILLIS))
def test_whole_milliseconds_are_never_rounded(value: int) -> None:
    assert millis("timeout", Time.milliseconds(value)) == value
    assert millis("timeout", timedelta(milliseconds=value)) == value


@pytest.mark.parametrize("option", DURATIONS)
@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (lambda: Time.milliseconds(0), "0 milliseconds"),
        (lambda: Time.seconds(-1), "-1000 milliseconds"),
        (lambda: Time.milliseconds(0.4), "0.4 milliseconds"),
        (lambda: Time.milliseconds(float("nan")), "nan milliseconds"),
        (lambda: Time.milliseconds(float("inf")), "inf milliseconds"),
        (lambda: Time.milliseconds(2**63), f"{2**63} milliseconds"),
        (lambda: Duration.of_nanos(499_999), "PT0.000499999S"),
        (lambda: Duration.of_millis(-1), "PT-0.001S"),
        (lambda: Duration.of_days(200_000), "PT4800000H"),
        (lambda: timedelta(0), "0:00:00"),
        (lambda: timedelta(microseconds=499), "0:00:00.000499"),
        (lambda: timedelta(seconds=-1), "-1 day, 23:59:59"),
        (lambda: timedelta.max, "999999999 days"),
    ],
    ids=str,
)
def test_durations_must_be_positive_and_fit(
    option: str, make: Callable[[], Any], shown: str
) -> None:
    expected = f"{option} must be positive, from 1 to {MAX_MILLIS} milliseconds, got {shown}"
    with pytest.raises(InvalidOptionError) as raised:
        options(**{option: make()})
    assert expected in str(raised.value)


@pytest.mark.parametrize("option", DURATIONS)
@pytest.mark.parametrize("value", [1, 1.5, float("nan"), True, "1s", np.timedelta64(1, "s")])
def test_durations_have_a_unit(option: str, value: Any) -> None:
    with pytest.raises(InvalidOptionTypeError) as raised:
        options(**{option: value})
    assert str(raised.value).startswith(f"{option} must be ")
    assert "pyflink.common.Time" in str(raised.value)
    assert "datetime.timedelta" in str(raised.value)


@pytest.mark.parametrize("value", ["1", None, True, object()])
def test_a_time_must_hold_a_number(value: Any) -> None:
    with pytest.raises(InvalidOptionTypeError, match=r"^timeout must be .* that holds a number"):
        options(timeout=Time(value))


def test_only_batch_timeout_may_be_none() -> None:
    assert options(batch_timeout=None).batch_timeout_millis is None
    for option in ("timeout", "open_timeout"):
        with pytest.raises(InvalidOptionTypeError, match=f"^{option} must be a pyflink"):
            options(**{option: None})
    with pytest.raises(InvalidOptionTypeError, match=r"^batch_timeout must be None or a pyflink"):
        options(batch_timeout=1)


def test_names() -> None:
    assert options(name="classify").name == "classify"
    with pytest.raises(InvalidOptionError, match=r"^name must be None or a str that is not blank"):
        options(name="  ")
    with pytest.raises(InvalidOptionTypeError, match=r"^name must be None or a str, got 1"):
        options(name=1)


def test_event_time_needs_a_batch_timeout() -> None:
    with pytest.raises(InvalidOptionError, match="batch_timeout must be set where batch_time"):
        options(batch_time_domain=TimeDomain.EVENT_TIME)
    accepted = options(batch_time_domain=TimeDomain.EVENT_TIME, batch_timeout=Time.seconds(1))
    assert accepted.batch_time_domain is TimeDomain.EVENT_TIME


@pytest.mark.parametrize("value", [None, "EVENT_TIME", 0])
def test_a_time_domain_is_pyflinks(value: Any) -> None:
    with pytest.raises(InvalidOptionTypeError, match=r"^batch_time_domain must be a pyflink"):
        options(batch_time_domain=value)


def test_weights_need_a_maximum_and_the_maximum_weights() -> None:
    assert options(weigh=len, max_batch_weight=9).grouping.looks_at_elements
    with pytest.raises(InvalidOptionError, match="max_batch_weight must be given where weigh"):
        options(weigh=len)
    with pytest.raises(InvalidOptionError, match="weigh must be given where max_batch_weight is"):
        options(max_batch_weight=9)
    with pytest.raises(InvalidOptionError, match="max_batch_weight must be positive"):
        options(weigh=len, max_batch_weight=0)


def test_a_shared_worker_knows_no_weights() -> None:
    with pytest.raises(InvalidOptionError, match="worker must be 'own' where weigh is given"):
        options(weigh=len, max_batch_weight=9, worker="shared")
    assert options(coalesce_key=str, worker="shared").grouping.looks_at_elements


@pytest.mark.parametrize("option", ["weigh", "coalesce_key"])
def test_what_looks_at_elements_is_a_plain_function(option: str) -> None:
    async def later(element: Any) -> int:
        return 1

    others = {"max_batch_weight": 9} if option == "weigh" else {}
    accepted = f"{option} must be None or a function of an element"
    with pytest.raises(InvalidOptionTypeError, match=accepted):
        options(**{option: "tokens"}, **others)
    with pytest.raises(InvalidOptionTypeError, match=f"{accepted} that is not async"):
        options(**{option: later}, **others)


def test_buckets_of_lengths_need_weights_and_a_bound_on_waiting() -> None:
    valid: dict[str, Any] = {"weigh": len, "batch_timeout": Time.seconds(1)}
    assert options(**valid, length_buckets=[8, 64]).grouping.length_buckets == (8, 64)
    assert options(
        weigh=len, latency_target=Time.seconds(1), length_buckets=(8,)
    ).grouping.length_buckets == (8,)
    with pytest.raises(InvalidOptionError, match="weigh must be given where length_buckets is"):
        options(length_buckets=[8], batch_timeout=Time.seconds(1))
    with pytest.raises(InvalidOptionError, match="batch_timeout must be given where length_bucket"):
        options(weigh=len, length_buckets=[8])


@pytest.mark.parametrize("value", [[8, 8], [64, 8], [0]])
def test_buckets_of_lengths_ascend(value: Any) -> None:
    with pytest.raises(InvalidOptionError, match="length_buckets must be"):
        options(weigh=len, batch_timeout=Time.seconds(1), length_buckets=value)


@pytest.mark.parametrize("value", [8, "88", None, [1.5]])
def test_buckets_of_lengths_are_ints(value: Any) -> None:
    with pytest.raises(InvalidOptionTypeError, match="length_buckets must be"):
        options(weigh=len, batch_timeout=Time.seconds(1), length_buckets=value)
