"""What users can import, and the shape of what they call."""

import importlib
import inspect
import pickle
from importlib import resources

import pyflink.datastream
import pyflink_async_batch
import pytest
from pyflink_async_batch import (
    ArrowAsyncBatchFunction,
    AsyncBatchFunction,
    AsyncDataStream,
    errors,
)

SEED_PARAMETERS = [
    "data_stream",
    "async_batch_function",
    "timeout",
    "batch_size",
    "batch_timeout",
    "capacity",
    "output_type",
]


def test_the_package_exports_exactly_its_documented_names() -> None:
    assert sorted(pyflink_async_batch.__all__) == [
        "AdaptiveConcurrency",
        "ArrowAsyncBatchFunction",
        "AsyncBatchError",
        "AsyncBatchFunction",
        "AsyncDataStream",
        "BatchCodec",
        "BatchInference",
        "BatchInferenceCollector",
        "BatchInferenceOptions",
        "BatchInferenceSubmitter",
        "BatchTooLarge",
        "CircuitBreaker",
        "ColumnResults",
        "ExponentialBackoffRetryStrategy",
        "FailedRow",
        "FunctionNotPicklableError",
        "GpuResources",
        "GpuSidecarAsyncBatchFunction",
        "Hedging",
        "InvalidFunctionError",
        "InvalidOptionError",
        "InvalidOptionTypeError",
        "RequestCodec",
        "RequestId",
        "ResultCodec",
        "RetryBudget",
        "RetryLater",
        "RowFailure",
        "SubmittedRow",
        "TensorField",
        "UnsupportedEnvironmentError",
        "UnsupportedTableError",
        "UnsupportedTypeError",
        "WorkerRestart",
        "__version__",
        "dead_letters_tag",
    ]
    for name in pyflink_async_batch.__all__:
        assert hasattr(pyflink_async_batch, name)


@pytest.mark.parametrize(
    "module",
    [
        "batch_codec",
        "batch_collector",
        "batch_inference",
        "batch_options",
        "batch_submitter",
        "data_stream",
        "dead_letters",
        "errors",
        "function",
        "grouping_options",
        "option_checks",
        "options",
        "outcomes",
        "overload_options",
        "resources",
        "retry_later",
        "retry_strategy",
        "sidecar_function",
        "table",
        "table_batch_inference",
        "tensors",
    ],
)
def test_each_public_module_defines_what_it_exports(module: str) -> None:
    loaded = importlib.import_module(f"pyflink_async_batch.{module}")
    for name in loaded.__all__:
        assert hasattr(loaded, name)


def test_every_exported_error_is_an_async_batch_error() -> None:
    for name in errors.__all__:
        assert getattr(pyflink_async_batch, name) is getattr(errors, name)
        assert issubclass(getattr(errors, name), errors.AsyncBatchError)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.InvalidOptionError, ValueError),
        (errors.InvalidOptionTypeError, TypeError),
        (errors.InvalidFunctionError, TypeError),
        (errors.FunctionNotPicklableError, TypeError),
        (errors.UnsupportedTypeError, TypeError),
        (errors.UnsupportedEnvironmentError, RuntimeError),
    ],
)
def test_errors_are_what_pyflink_users_catch(
    error: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(error, builtin)


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidOptionError("batch_size", 0, "positive"),
        errors.InvalidOptionTypeError("batch_size", "a", "an int"),
        errors.InvalidFunctionError("Class 'X' is wrong."),
        errors.FunctionNotPicklableError("X", ["attribute 'lock'"], "TypeError: no"),
        errors.UnsupportedTypeError("Type 'X' is not supported."),
        errors.UnsupportedEnvironmentError("PyFlink 1.20 is installed."),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error: Exception) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)


def test_an_error_shows_a_bounded_part_of_a_value() -> None:
    error = errors.InvalidOptionTypeError("batch_size", "x" * 1_000_000, "an int")
    assert len(str(error)) < 300


def test_the_stream_class_extends_pyflinks() -> None:
    assert issubclass(AsyncDataStream, pyflink.datastream.AsyncDataStream)
    assert AsyncDataStream.unordered_wait is pyflink.datastream.AsyncDataStream.unordered_wait


def test_the_function_class_extends_pyflinks() -> None:
    assert issubclass(AsyncBatchFunction, pyflink.datastream.functions.Function)
    assert AsyncBatchFunction[int, str].__origin__ is AsyncBatchFunction


def test_a_function_on_columns_is_a_batched_function() -> None:
    class Nothing(ArrowAsyncBatchFunction):
        pass

    assert issubclass(ArrowAsyncBatchFunction, AsyncBatchFunction)
    with pytest.raises(TypeError, match="async_invoke_batch"):
        Nothing()  # type: ignore[abstract]


def test_both_orderings_take_the_same_parameters() -> None:
    unordered = inspect.signature(AsyncDataStream.unordered_wait_batch)
    assert inspect.signature(AsyncDataStream.ordered_wait_batch) == unordered
    parameters = list(unordered.parameters.values())
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert positional == SEED_PARAMETERS
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[len(SEED_PARAMETERS) :])
    assert unordered.parameters["capacity"].default == 100


def test_a_function_without_async_invoke_batch_cannot_be_made() -> None:
    class Nothing(AsyncBatchFunction[int, int]):
        pass

    with pytest.raises(TypeError, match="async_invoke_batch"):
        Nothing()  # type: ignore[abstract]


def test_timeout_batch_raises_by_default_and_shows_no_rows() -> None:
    class Identity(AsyncBatchFunction[str, str]):
        async def async_invoke_batch(self, inputs: list[str]) -> list[str]:
            return inputs

    with pytest.raises(TimeoutError, match="has timed out for a batch of 2 inputs") as raised:
        Identity().timeout_batch(["secret", "row"])
    assert "Identity" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_the_package_is_typed() -> None:
    assert resources.files("pyflink_async_batch").joinpath("py.typed").is_file()
