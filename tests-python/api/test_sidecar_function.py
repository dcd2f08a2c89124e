"""A model server as a function: what is accepted, and what is refused while the job is built."""

from datetime import timedelta
from typing import Any

import pytest
from pyflink.common import Row, Time, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.async_retry_strategies import FixedDelayRetryStrategy
from pyflink_async_batch import (
    AsyncBatchError,
    AsyncDataStream,
    ExponentialBackoffRetryStrategy,
    GpuResources,
    GpuSidecarAsyncBatchFunction,
    InvalidFunctionError,
    InvalidOptionError,
    InvalidOptionTypeError,
    TensorField,
    UnsupportedTypeError,
    WorkerRestart,
)

IMAGES = Types.ROW_NAMED(["id", "pixels"], [Types.LONG(), Types.PRIMITIVE_ARRAY(Types.FLOAT())])
DIGITS = Types.ROW_NAMED(["id", "digit"], [Types.LONG(), Types.LONG()])
RETRY = ExponentialBackoffRetryStrategy(3, timedelta(milliseconds=200))


def sidecar(**options: Any) -> GpuSidecarAsyncBatchFunction:
    given = {
        "endpoint": "unix:///run/model.sock",
        "model_name": "digits",
        "inputs": ["pixels"],
        "outputs": ["digit"],
        "copy_record_fields": True,
    }
    return GpuSidecarAsyncBatchFunction(**{**given, **options})


@pytest.fixture
def images(environment: StreamExecutionEnvironment) -> DataStream:
    return environment.from_collection([Row(0, [0.0])], IMAGES)


def apply(stream: DataStream, function: Any, **options: Any) -> DataStream:
    given = {"timeout": Time.seconds(1), "batch_size": 2, "output_type": DIGITS}
    return AsyncDataStream.unordered_wait_batch(stream, function, **{**given, **options})


def apply_with_retry(stream: DataStream, strategy: Any) -> DataStream:
    return AsyncDataStream.ordered_wait_batch_with_retry(
        stream,
        sidecar(),
        timeout=Time.seconds(1),
        batch_size=2,
        async_retry_strategy=strategy,
        output_type=DIGITS,
    )


def operators(environment: StreamExecutionEnvironment, stream: DataStream) -> list[str]:
    stream.print()
    graph = environment._j_stream_execution_environment.getStreamGraph()
    return [
        str(node.getOperatorFactory().getClass().getName())
        for node in graph.getStreamNodes().toArray()
    ]


def test_no_python_worker_is_part_of_the_job(
    environment: StreamExecutionEnvironment, images: DataStream
) -> None:
    found = operators(environment, apply(images, sidecar()))
    assert any(name.endswith("AsyncBatchWaitOperatorFactory") for name in found)
    assert not any("Python" in name for name in found)


def test_results_have_the_output_type_and_the_operator_its_name(images: DataStream) -> None:
    results = apply(images, sidecar(), name="classify")
    assert results.get_type() == DIGITS
    assert results.get_name() == "classify"


def test_every_option_reaches_java(images: DataStream) -> None:
    tcp = sidecar(
        endpoint="models.example:8001",
        model_version="2",
        request_timeout=Time.seconds(5),
        max_in_flight=8,
        ready_timeout=timedelta(minutes=1),
        max_message_bytes=1 << 20,
        keep_alive_time=Time.seconds(20),
        keep_alive_timeout=Time.seconds(5),
        max_reconnect_delay=Time.seconds(10),
        tls=True,
        ca_file="/etc/ca.pem",
        client_certificate_file="/etc/me.pem",
        client_key_file="/etc/me.key",
        token_from_environment="TOKEN",
    )
    apply(images, tcp)
    apply(images, sidecar(endpoint="models.example:8001", plaintext=True))
    apply(images, sidecar(endpoint="models.example:8001", token_from_file="/run/token"))
    apply(images, sidecar(shared_memory_threshold=1, max_shared_memory_bytes=0))


def test_an_option_has_the_value_that_was_given(images: DataStream) -> None:
    """Java refuses each of these for its own reasons, so each has reached it."""
    for option, value in [
        ("max_message_bytes", 1),
        ("request_timeout", timedelta(days=2)),
        ("ready_timeout", timedelta(days=2)),
        ("max_reconnect_delay", timedelta(milliseconds=1)),
        ("max_shared_memory_bytes", 2**40),
    ]:
        with pytest.raises(InvalidFunctionError, match=f"{option} must be"):
            apply(images, sidecar(**{option: value}))


def test_fields_may_say_what_they_are_to_the_model(images: DataStream) -> None:
    field = TensorField("pixels", tensor="input-0", data_type="FP64", shape=(-1,))
    apply(images, sidecar(inputs=[field], outputs=[TensorField("digit", tensor="predict")]))


def test_single_values_need_no_row(environment: StreamExecutionEnvironment) -> None:
    numbers = environment.from_collection([1.0], Types.DOUBLE())
    function = sidecar(inputs=["x"], outputs=["y"], copy_record_fields=False)
    assert apply(numbers, function, output_type=Types.LONG()).get_type() == Types.LONG()


def test_all_methods_and_a_retry_strategy_are_accepted(images: DataStream) -> None:
    given: Any = {"timeout": Time.seconds(1), "batch_size": 2, "output_type": DIGITS}
    AsyncDataStream.ordered_wait_batch(images, sidecar(), **given)
    AsyncDataStream.unordered_wait_batch_with_retry(
        images, sidecar(), async_retry_strategy=RETRY, **given
    )
    apply_with_retry(images, RETRY)
    apply_with_retry(
        images,
        ExponentialBackoffRetryStrategy(
            1, Time.seconds(1), max_delay=Time.seconds(2), multiplier=1, full_jitter=True
        ),
    )


@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param(
            ExponentialBackoffRetryStrategy(1, Time.seconds(1), exception_predicate=lambda e: True),
            id="exception predicate",
        ),
        pytest.param(
            ExponentialBackoffRetryStrategy(1, Time.seconds(1), result_predicate=lambda e: True),
            id="result predicate",
        ),
        pytest.param(FixedDelayRetryStrategy(1, 1, None, None), id="PyFlink's"),
        pytest.param("often", id="none"),
    ],
)
def test_a_strategy_that_python_would_have_to_decide_is_refused(
    images: DataStream, strategy: Any
) -> None:
    with pytest.raises(InvalidOptionTypeError, match="without predicates, as no Python runs"):
        apply_with_retry(images, strategy)


def test_a_stream_of_pickled_elements_is_refused(environment: StreamExecutionEnvironment) -> None:
    with pytest.raises(UnsupportedTypeError, match="are pickled, and .* no Python worker"):
        apply(environment.from_collection([Row(0, [0.0])]), sidecar())


@pytest.mark.parametrize(
    ("output_type", "named"),
    [
        pytest.param(
            Types.ROW_NAMED(["digit"], [Types.PICKLED_BYTE_ARRAY()]), "digit", id="pickled"
        ),
        pytest.param(Types.ROW_NAMED(["digit"], [Types.BIG_DEC()]), "digit", id="decimal"),
        pytest.param(Types.ROW_NAMED(["number"], [Types.LONG()]), "'digit'", id="no such field"),
        pytest.param(
            Types.ROW_NAMED(["digit", "id"], [Types.LONG(), Types.INT()]), "'id'", id="another id"
        ),
    ],
)
def test_results_that_no_tensor_becomes_are_refused(
    images: DataStream, output_type: Any, named: str
) -> None:
    with pytest.raises(UnsupportedTypeError, match=named):
        apply(images, sidecar(), output_type=output_type)


def test_an_output_type_is_needed(images: DataStream) -> None:
    with pytest.raises(InvalidOptionTypeError, match="output_type must be"):
        apply(images, sidecar(), output_type=None)


def test_an_input_that_is_no_field_is_refused(images: DataStream) -> None:
    with pytest.raises(UnsupportedTypeError, match="'picture'.*no such field"):
        apply(images, sidecar(inputs=["picture"]))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("open_timeout", Time.seconds(1)),
        ("max_frame_bytes", 1 << 26 | 1),
        ("shared_memory_threshold", 1),
        ("worker", "shared"),
        ("resources", GpuResources(1)),
        ("worker_restart", WorkerRestart()),
        ("stall_timeout", Time.seconds(1)),
    ],
)
def test_options_of_python_workers_are_refused(images: DataStream, option: str, value: Any) -> None:
    with pytest.raises(InvalidOptionError, match=f"{option} must be left out"):
        apply(images, sidecar(), **{option: value})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"endpoint": "models.example"}, "endpoint must be"),
        ({"endpoint": "http://models.example:80"}, "endpoint must be"),
        ({"tls": True}, "TLS is for TCP"),
        ({"token_from_file": "/run/token"}, "a token is for TCP"),
        (
            {"endpoint": "models.example:80", "shared_memory_threshold": 1},
            "shared_memory_threshold is for Unix sockets",
        ),
        (
            {
                "endpoint": "models.example:80",
                "token_from_file": "a",
                "token_from_environment": "b",
            },
            "token_from_environment and token_from_file exclude each other",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    images: DataStream, options: Any, told: str
) -> None:
    with pytest.raises(InvalidFunctionError, match=told):
        apply(images, sidecar(**options))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("endpoint", None),
        ("endpoint", " "),
        ("model_name", ""),
        ("model_version", 2),
        ("inputs", "pixels"),
        ("inputs", [1]),
        ("outputs", TensorField("digit")),
        ("copy_record_fields", 1),
        ("request_timeout", 5),
        ("request_timeout", Time.seconds(0)),
        ("max_in_flight", 0),
        ("max_in_flight", True),
        ("max_message_bytes", 2**31),
        ("keep_alive_time", Time.seconds(20)),
        ("client_key_file", "key.pem"),
        ("tls", "yes"),
        ("shared_memory_threshold", 0),
        ("max_shared_memory_bytes", -1),
    ],
)
def test_wrong_options_are_refused_when_the_function_is_made(option: str, value: Any) -> None:
    with pytest.raises(AsyncBatchError) as refused:
        sidecar(**{option: value})
    assert isinstance(refused.value, (InvalidOptionError, InvalidOptionTypeError))
    assert str(refused.value).startswith(("keep_alive", "client_", option))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"tensor": 1},
        {"data_type": "FLOAT"},
        {"shape": 8},
        {"shape": (0,)},
        {"shape": (-2,)},
        {"shape": "8"},
    ],
)
def test_wrong_fields_are_refused(wrong: Any) -> None:
    with pytest.raises(AsyncBatchError):
        TensorField(**{"name": "pixels", **wrong})


def test_an_instance_is_expected(images: DataStream) -> None:
    with pytest.raises(InvalidFunctionError):
        apply(images, GpuSidecarAsyncBatchFunction)
