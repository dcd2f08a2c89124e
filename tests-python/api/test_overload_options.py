"""How much a backend may be asked to do at a time, and what the refusals say."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from pyflink.common import Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.table import DataTypes
from pyflink_async_batch import (
    AdaptiveConcurrency,
    AsyncBatchFunction,
    CircuitBreaker,
    GpuSidecarAsyncBatchFunction,
    Hedging,
    InvalidOptionError,
    InvalidOptionTypeError,
    RetryBudget,
    TensorField,
)
from pyflink_async_batch.options import AsyncBatchOptions
from pyflink_async_batch.overload_options import OverloadOptions
from pyflink_async_batch.table import async_batch_udf

EVERYTHING: dict[str, Any] = {
    "concurrency": AdaptiveConcurrency(least=2, most=50, initial=np.int64(3)),
    "backend": "models.example",
    "circuit_breaker": CircuitBreaker(
        window_calls=20, slow_call=Time.seconds(2), slow_call_rate=0.8, when_open="fail_fast"
    ),
    "retry_budget": RetryBudget(share=0.2, reserve=5),
    "hedging": Hedging(percentile=0.9, min_delay=timedelta(milliseconds=5), least_calls=30),
    "on_failure": "skip",
}


class Identity(AsyncBatchFunction[int, int]):
    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        return inputs


def overload(**more: Any) -> OverloadOptions:
    return AsyncBatchOptions.of(timeout=Time.seconds(1), batch_size=8, **more).overload


def test_by_default_nothing_bounds_calls() -> None:
    assert overload() == OverloadOptions(None, None, None, None, None)


@pytest.mark.parametrize(
    ("given", "checked"),
    [
        (7, 7),
        (np.int32(100), 100),
        ("adaptive", AdaptiveConcurrency()),
        (AdaptiveConcurrency(2, 9), AdaptiveConcurrency(2, 9)),
    ],
)
def test_concurrency_is_a_number_or_found_out(given: Any, checked: Any) -> None:
    assert overload(concurrency=given).concurrency == checked


@pytest.mark.parametrize("value", [True, 1.5, [4], CircuitBreaker()])
def test_nothing_else_is_a_concurrency(value: Any) -> None:
    with pytest.raises(InvalidOptionTypeError, match="^concurrency must be None, an int, 'adapt"):
        overload(concurrency=value)


def test_only_one_word_is_a_concurrency() -> None:
    with pytest.raises(InvalidOptionError, match="^concurrency must be None, an int, 'adapt"):
        overload(concurrency="auto")


@pytest.mark.parametrize("value", [0, -1, 2**31])
def test_a_number_of_calls_is_positive(value: int) -> None:
    with pytest.raises(InvalidOptionError, match="^concurrency must be"):
        overload(concurrency=value)


@pytest.mark.parametrize(
    ("concurrency", "message"),
    [
        (11, "concurrency must be at most capacity=10, got 11"),
        (AdaptiveConcurrency(11), "concurrency.least must be at most capacity=10, got 11"),
        (AdaptiveConcurrency(1, 11), "concurrency.most must be at most capacity=10, got 11"),
        (
            AdaptiveConcurrency(initial=11),
            "concurrency.initial must be at most capacity=10, got 11",
        ),
    ],
)
def test_what_a_subtask_cannot_reach_is_refused(concurrency: Any, message: str) -> None:
    with pytest.raises(InvalidOptionError, match=message):
        overload(concurrency=concurrency, capacity=10)
    # Others have their part of it.
    assert overload(concurrency=concurrency, capacity=10, backend="gateway").backend == "gateway"


@pytest.mark.parametrize("bound", ["least", "most", "initial"])
@pytest.mark.parametrize(
    ("value", "error"),
    [(0, InvalidOptionError), ("4", InvalidOptionTypeError), (True, InvalidOptionTypeError)],
)
def test_bounds_are_positive(bound: str, value: Any, error: Any) -> None:
    with pytest.raises(error, match=f"^{bound} must be"):
        AdaptiveConcurrency(**{bound: value})


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"least": 5, "most": 4}, "most must be at least least=5, got 4"),
        ({"least": 5, "initial": 4}, "initial must be at least least=5, got 4"),
        ({"most": 5, "initial": 6}, "initial must be at most most=5, got 6"),
    ],
)
def test_bounds_do_not_contradict_each_other(bounds: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidOptionError, match=f"^{message}"):
        AdaptiveConcurrency(**bounds)


@pytest.mark.parametrize("count", ["window_calls", "least_calls", "probes"])
@pytest.mark.parametrize(
    ("value", "error"), [(0, InvalidOptionError), (2.0, InvalidOptionTypeError)]
)
def test_counts_of_a_breaker_are_positive(count: str, value: Any, error: Any) -> None:
    with pytest.raises(error, match=f"^{count} must be"):
        CircuitBreaker(**{count: value})


@pytest.mark.parametrize("time", ["window", "slow_call", "first_pause", "longest_pause"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (Time.seconds(0), InvalidOptionError),
        (timedelta(seconds=-1), InvalidOptionError),
        (5, InvalidOptionTypeError),
    ],
)
def test_times_of_a_breaker_are_positive(time: str, value: Any, error: Any) -> None:
    with pytest.raises(error, match=f"^{time} must be"):
        CircuitBreaker(**{time: value})


@pytest.mark.parametrize("rate", ["failure_rate", "slow_call_rate"])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        (0, InvalidOptionError),
        (1.01, InvalidOptionError),
        (float("nan"), InvalidOptionError),
        ("0.5", InvalidOptionTypeError),
        (True, InvalidOptionTypeError),
    ],
)
def test_rates_are_shares(rate: str, value: Any, error: Any) -> None:
    with pytest.raises(error, match=f"^{rate} must be a number above 0 and at most 1"):
        CircuitBreaker(**{rate: value, "slow_call": Time.seconds(1)})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"window_calls": 5, "least_calls": 6},
            "least_calls must be at most window_calls=5, got 6",
        ),
        ({"slow_call_rate": 0.5}, "slow_call must be set where slow_call_rate is"),
        (
            {"first_pause": Time.seconds(2)},
            "longest_pause must be at least first_pause=2000 ms, got 1500 ms",
        ),
        ({"when_open": "wait"}, "when_open must be 'back_pressure' or 'fail_fast' or 'fail_job'"),
    ],
)
def test_a_breaker_does_not_contradict_itself(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidOptionError, match=f"^{message}"):
        CircuitBreaker(**arguments)


def test_who_fails_fast_says_where_the_rows_go() -> None:
    breaker = CircuitBreaker(when_open="fail_fast")
    with pytest.raises(
        InvalidOptionError,
        match="^circuit_breaker.when_open must be 'back_pressure' or 'fail_job', unless on_failure",
    ):
        overload(circuit_breaker=breaker)
    for on_failure in ("dead_letter", "skip"):
        checked = overload(circuit_breaker=breaker, on_failure=on_failure)
        assert checked.circuit_breaker is breaker


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_a_budget_is_a_share(share: float) -> None:
    with pytest.raises(InvalidOptionError, match="^share must be a number of at least 0 and at"):
        RetryBudget(share)


@pytest.mark.parametrize("value", [0.49, 0.991, 1, float("nan")])
def test_a_percentile_leaves_something_to_hedge_and_to_learn_from(value: float) -> None:
    with pytest.raises(InvalidOptionError, match="^percentile must be a number "):
        Hedging(value)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"percentile": "0.95"}, InvalidOptionTypeError, "percentile must be a number"),
        ({"min_delay": 5}, InvalidOptionTypeError, "min_delay must be"),
        ({"min_delay": timedelta(0)}, InvalidOptionError, "min_delay must be"),
        ({"least_calls": 0}, InvalidOptionError, "least_calls must be"),
        ({"least_calls": 257}, InvalidOptionError, "least_calls must be"),
        ({"least_calls": 2.0}, InvalidOptionTypeError, "least_calls must be"),
    ],
)
def test_hedging_is_checked_by_name(arguments: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        Hedging(**arguments)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"retry_budget": None}, "retry_budget must be a pyflink_async_batch.RetryBudget where"),
        ({"concurrency": 1}, "concurrency must be at least 2 where hedging is given"),
        (
            {"concurrency": AdaptiveConcurrency(1, 1)},
            "concurrency must be at least 2 where hedging is given",
        ),
        (
            {"concurrency": "adaptive", "capacity": 4, "backend": None},
            None,
        ),
        (
            {"concurrency": AdaptiveConcurrency(initial=1), "capacity": 1},
            "concurrency must be at least 2 where hedging is given",
        ),
        (
            {"hedging": Hedging(min_delay=Time.seconds(1))},
            "hedging.min_delay must be below timeout=1000 ms, got 1000 ms",
        ),
    ],
)
def test_hedging_has_what_it_takes(more: dict[str, Any], message: Any) -> None:
    given = {"hedging": Hedging(), "retry_budget": RetryBudget(), **more}
    if message is None:
        assert overload(**given).hedging == given["hedging"]
    else:
        with pytest.raises(InvalidOptionError, match=f"^{message}"):
            overload(**given)


def test_a_budget_may_be_its_reserve_alone() -> None:
    assert RetryBudget(share=0).reserve == 10
    with pytest.raises(InvalidOptionError, match="^reserve must be positive"):
        RetryBudget(reserve=0)


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("circuit_breaker", "CircuitBreaker"),
        ("retry_budget", "RetryBudget"),
        ("hedging", "Hedging"),
    ],
)
@pytest.mark.parametrize("value", [True, 0.1, "on", AdaptiveConcurrency()])
def test_only_what_it_is_called_is_accepted(option: str, name: str, value: Any) -> None:
    with pytest.raises(
        InvalidOptionTypeError, match=f"^{option} must be None or a pyflink_async_batch.{name}"
    ):
        overload(**{option: value})


@pytest.mark.parametrize(
    ("backend", "error", "message"),
    [
        (7, InvalidOptionTypeError, "backend must be None or a str"),
        (" ", InvalidOptionError, "backend must be None or a str that is not blank"),
    ],
)
def test_a_backend_has_a_name(backend: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=f"^{message}"):
        overload(backend=backend, concurrency=4)


def test_a_backend_shares_something() -> None:
    with pytest.raises(InvalidOptionError, match="^backend must be left out without concurrency"):
        overload(backend="gateway")
    assert overload(backend="gateway", retry_budget=RetryBudget()).backend == "gateway"


@pytest.mark.parametrize(
    "more",
    [
        EVERYTHING,
        {"concurrency": 3},
        {"concurrency": "adaptive"},
        {"concurrency": AdaptiveConcurrency(least=2, initial=8)},
        {"circuit_breaker": CircuitBreaker()},
        {"retry_budget": RetryBudget()},
        {"retry_budget": RetryBudget(), "hedging": Hedging()},
    ],
    ids=lambda more: "+".join(more),
)
def test_the_operator_takes_them_for_a_function_and_for_a_sidecar(
    environment: StreamExecutionEnvironment, wait_batch: Any, more: dict[str, Any]
) -> None:
    numbers = environment.from_collection([1], Types.LONG())
    wait_batch(numbers, Identity(), Time.seconds(1), 8, output_type=Types.LONG(), **more)
    rows = numbers.map(lambda x: x, output_type=Types.ROW_NAMED(["x"], [Types.LONG()]))
    sidecar = GpuSidecarAsyncBatchFunction(
        endpoint="unix:///run/model.sock",
        model_name="model",
        inputs=[TensorField("x", data_type="INT64")],
        outputs=["y"],
    )
    wait_batch(
        rows,
        sidecar,
        Time.seconds(1),
        8,
        output_type=Types.ROW_NAMED(["y"], [Types.LONG()]),
        **more,
    )


def test_a_table_has_them_too() -> None:
    def udf(**more: Any) -> Any:
        return async_batch_udf(
            Identity,
            result_type=DataTypes.BIGINT(),
            batch_size=8,
            timeout=timedelta(seconds=1),
            **more,
        )._options

    assert udf(**EVERYTHING).overload == overload(**EVERYTHING)
    assert udf(concurrency=7).capacity == 7
    assert udf(concurrency=7).overload.concurrency is None
    adaptive = udf(concurrency="adaptive")
    assert adaptive.capacity == 100
    assert adaptive.overload.concurrency == AdaptiveConcurrency()
    assert udf(concurrency=AdaptiveConcurrency(most=300)).capacity == 300
    with pytest.raises(InvalidOptionError, match="^concurrency must be None, an int, 'adaptive'"):
        udf(concurrency="many")
