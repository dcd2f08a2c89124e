"""What a call checks, what it hands to the Java side, and what it returns."""

import pickle
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pyflink.common import Configuration, Duration, Time, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment, TimeDomain
from pyflink.java_gateway import get_gateway
from pyflink.table import DataTypes
from pyflink_async_batch import (
    ArrowAsyncBatchFunction,
    AsyncBatchFunction,
    AsyncDataStream,
    FunctionNotPicklableError,
    InvalidFunctionError,
    InvalidOptionError,
    InvalidOptionTypeError,
    UnsupportedEnvironmentError,
    UnsupportedTypeError,
    WorkerRestart,
    data_stream,
)
from pyflink_async_batch._graph import transformation


class Identity(AsyncBatchFunction[Any, Any]):
    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return inputs


class IdentityOnColumns(ArrowAsyncBatchFunction):
    async def async_invoke_batch(self, inputs: Any) -> Any:
        return inputs


class NotPicklable(Identity):
    def __init__(self) -> None:
        self.generator = (value for value in ())


class RecordingBuilder:
    """Stands in for the Java builder: keeps what it is told, and maps every element to itself."""

    def __init__(self) -> None:
        self.calls: dict[str, Any] = {}

    def of(self, j_data_stream: Any, j_output_type: Any) -> "RecordingBuilder":
        self.calls["of"] = (j_data_stream, j_output_type)
        return self

    def ofGrouped(  # noqa: N802
        self, j_data_stream: Any, j_output_type: Any, *grouping: Any
    ) -> "RecordingBuilder":
        self.calls["grouping"] = grouping
        return self.of(j_data_stream, j_output_type)

    def apply(self) -> Any:
        return self.calls["of"][0]

    def __getattr__(self, setter: str) -> Any:
        def record(*arguments: Any) -> "RecordingBuilder":
            assert setter not in self.calls
            self.calls[setter] = arguments if len(arguments) > 1 else arguments[0]
            return self

        return record


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingBuilder]:
    recording = RecordingBuilder()
    monkeypatch.setattr(transformation, "_j_transformation", lambda: recording)
    monkeypatch.setattr(data_stream, "add_bundled_jar", lambda j_configuration: None)
    return recording


@pytest.fixture
def numbers(environment: StreamExecutionEnvironment) -> DataStream:
    return environment.from_collection([1, 2, 3], Types.INT())


def configuration_of(environment: StreamExecutionEnvironment) -> dict[str, str]:
    j_util = get_gateway().jvm.org.apache.flink.python.util.PythonConfigUtil
    return dict(j_util.getEnvironmentConfig(environment._j_stream_execution_environment).toMap())


@pytest.mark.parametrize(
    ("options", "grouping"),
    [
        ({"weigh": abs, "max_batch_weight": 9}, (9, [], False)),
        ({"coalesce_key": abs}, (0, [], True)),
        ({"weigh": abs, "max_batch_weight": 9, "coalesce_key": abs}, (9, [], True)),
    ],
)
def test_what_is_said_of_elements_travels_beside_them(
    wait_batch: Any, builder: RecordingBuilder, numbers: DataStream, options: Any, grouping: Any
) -> None:
    wait_batch(numbers, Identity(), Time.seconds(30), 32, **options)
    j_stream, _ = builder.calls["of"]
    weight, buckets, coalesces = builder.calls["grouping"]
    assert (weight, list(buckets), coalesces) == grouping
    described = j_stream.getType().toString()
    assert described == "Row(weight: Long, key: byte[], element: Integer)"


def test_what_is_said_of_elements_is_said_where_they_come_from(
    wait_batch: Any, builder: RecordingBuilder, environment: StreamExecutionEnvironment
) -> None:
    """Else elements that are in order would come apart on the way."""
    environment.set_parallelism(4)
    numbers = environment.from_collection([1, 2, 3], Types.INT())
    wait_batch(numbers, Identity(), Time.seconds(30), 32, coalesce_key=abs)
    j_stream, _ = builder.calls["of"]
    assert (numbers._j_data_stream.getParallelism(), j_stream.getParallelism()) == (1, 1)


@pytest.mark.parametrize("option", ["weigh", "coalesce_key"])
def test_what_looks_at_elements_has_to_travel(
    wait_batch: Any, builder: RecordingBuilder, numbers: DataStream, option: str
) -> None:
    lock = threading.Lock()
    options: Any = {option: lambda value: lock and 1}
    if option == "weigh":
        options["max_batch_weight"] = 9
    with pytest.raises(InvalidOptionTypeError, match=f"^{option} must be a function that can be p"):
        wait_batch(numbers, Identity(), Time.seconds(30), 32, **options)


def test_buckets_of_lengths_need_unordered_results(
    builder: RecordingBuilder, numbers: DataStream
) -> None:
    options: dict[str, Any] = {
        "weigh": abs,
        "length_buckets": [8, 64],
        "batch_timeout": Time.seconds(1),
    }
    arguments = (numbers, Identity(), Time.seconds(30), 32)
    with pytest.raises(
        InvalidOptionError, match="length_buckets must be left out where results are ordered"
    ):
        AsyncDataStream.ordered_wait_batch(*arguments, **options)
    AsyncDataStream.unordered_wait_batch(*arguments, **options)
    weight, buckets, coalesces = builder.calls["grouping"]
    assert (weight, list(buckets), coalesces) == (0, [8, 64], False)


def test_without_it_elements_go_straight_to_the_operator(
    wait_batch: Any, builder: RecordingBuilder, numbers: DataStream
) -> None:
    wait_batch(numbers, Identity(), Time.seconds(30), 32)
    assert "grouping" not in builder.calls
    assert builder.calls["of"][0].equals(numbers._j_data_stream)


def test_every_option_reaches_the_java_side(
    wait_batch: Any, ordering: str, builder: RecordingBuilder, numbers: DataStream
) -> None:
    function = Identity()
    result = wait_batch(
        numbers,
        function,
        Time.seconds(30),
        32,
        Duration.of_millis(100),
        7,
        Types.FLOAT(),
        max_batch_bytes=2**20,
        max_frame_bytes=2**21,
        open_timeout=timedelta(minutes=1),
        batch_time_domain=TimeDomain.EVENT_TIME,
        latency_target=timedelta(seconds=2),
        max_bytes_in_flight=2**22,
        shared_memory_threshold=2**15,
        worker_restart=WorkerRestart(
            5, Time.minutes(1), Time.milliseconds(10), timedelta(seconds=4), 3
        ),
        stall_timeout=Duration.of_seconds(20),
        on_failure="dead_letter",
        isolate=True,
        name="classify",
    )
    assert isinstance(result, DataStream)
    j_stream, j_output_type = builder.calls.pop("of")
    assert j_stream.equals(numbers._j_data_stream)
    assert j_output_type.toString() == "Float"
    name, payload, retry_strategy = builder.calls.pop("function")
    assert retry_strategy == b""
    assert name == f"{__name__}.Identity"
    assert isinstance(payload, bytearray)
    assert type(pickle.loads(payload)) is Identity
    assert builder.calls == {
        "outputMode": ordering.upper(),
        "timeoutMillis": 30_000,
        "batchSize": 32,
        "batchTimeoutMillis": 100,
        "capacity": 7,
        "maxBatchBytes": 2**20,
        "maxFrameBytes": 2**21,
        "openTimeoutMillis": 60_000,
        "batchTimeDomain": "EVENT_TIME",
        "latencyTargetMillis": 2_000,
        "maxBytesInFlight": 2**22,
        "sharedMemoryThreshold": 2**15,
        "onColumns": False,
        "sharedWorker": False,
        "workerRestart": (5, 60_000, 10, 4_000, 3),
        "stallTimeoutMillis": 20_000,
        "onFailure": "DEAD_LETTER",
        "isolate": True,
        "name": "classify",
    }


def test_no_batch_timeout_is_not_told_to_the_java_side(
    wait_batch: Any, builder: RecordingBuilder, numbers: DataStream
) -> None:
    wait_batch(numbers, Identity(), Time.seconds(30), 32)
    assert "batchTimeoutMillis" not in builder.calls
    assert builder.calls["capacity"] == 100


def test_a_shared_worker_is_told_to_the_java_side(
    wait_batch: Any, builder: RecordingBuilder, numbers: DataStream
) -> None:
    wait_batch(numbers, Identity(), Time.seconds(30), 32, worker="shared")
    assert builder.calls["sharedWorker"] is True
    assert "workerRestart" not in builder.calls
    assert "stallTimeoutMillis" not in builder.calls


def test_results_are_pickled_by_default(
    wait_batch: Any, builder: RecordingBuilder, numbers: DataStream
) -> None:
    wait_batch(numbers, Identity(), Time.seconds(30), 32)
    pickled = Types.PICKLED_BYTE_ARRAY().get_java_type_info()
    assert builder.calls["of"][1].equals(pickled)


def test_a_function_on_columns_is_told_to_the_java_side(
    wait_batch: Any, builder: RecordingBuilder, numbers: DataStream
) -> None:
    wait_batch(numbers, IdentityOnColumns(), Time.seconds(30), 32, output_type=Types.INT())
    assert builder.calls["onColumns"] is True


def test_a_function_on_columns_needs_an_output_type(wait_batch: Any, numbers: DataStream) -> None:
    with pytest.raises(InvalidOptionTypeError, match=r"^output_type must be a .* got None"):
        wait_batch(numbers, IdentityOnColumns(), Time.seconds(30), 32)


PICKLED = Types.PICKLED_BYTE_ARRAY()


@pytest.mark.parametrize(
    ("input_type", "output_type", "said"),
    [
        (None, Types.INT(), "The inputs of an ArrowAsyncBatchFunction are of type PICKLED_BYTE"),
        (Types.INT(), PICKLED, "The results of an ArrowAsyncBatchFunction are of type PICKLED_B"),
        (Types.INT(), Types.ROW_NAMED(["a"], [PICKLED]), "Field 'a' of the results .* is of type"),
        (Types.INT(), Types.LIST(PICKLED), r"Field '\[\]' of the results"),
        (Types.INT(), Types.ROW([]), "results of .* must have a field: a ROW without fields"),
    ],
)
def test_a_function_on_columns_takes_nothing_pickled(
    wait_batch: Any,
    environment: StreamExecutionEnvironment,
    input_type: Any,
    output_type: Any,
    said: str,
) -> None:
    stream = environment.from_collection([1, 2, 3], input_type)
    with pytest.raises(UnsupportedTypeError, match=said) as refused:
        wait_batch(stream, IdentityOnColumns(), Time.seconds(30), 32, output_type=output_type)
    assert "Types.LONG()" in str(refused.value) or "columns" in str(refused.value)


def test_a_keyed_stream_gives_its_values(
    wait_batch: Any, builder: RecordingBuilder, numbers: DataStream
) -> None:
    wait_batch(numbers.key_by(lambda value: value % 2), Identity(), Time.seconds(30), 32)
    assert builder.calls["of"][0].getType().toString() == "Integer"


@pytest.mark.parametrize("stream", [None, [1, 2, 3], "stream"])
def test_the_input_is_a_data_stream(wait_batch: Any, stream: Any) -> None:
    with pytest.raises(InvalidOptionTypeError, match=r"^data_stream must be a pyflink\.datastream"):
        wait_batch(stream, Identity(), Time.seconds(30), 32)


def test_a_windowed_stream_is_not_a_data_stream(wait_batch: Any, numbers: DataStream) -> None:
    keyed = numbers.key_by(lambda value: value)
    with pytest.raises(InvalidOptionTypeError, match=r"^data_stream must be .*WindowedStream"):
        wait_batch(keyed.count_window(2), Identity(), Time.seconds(30), 32)


@pytest.mark.parametrize(
    "output_type", [Types.INT, int, "INT", [Types.INT()], DataTypes.INT()], ids=str
)
def test_the_output_type_is_a_type_information(
    wait_batch: Any, numbers: DataStream, output_type: Any
) -> None:
    with pytest.raises(
        InvalidOptionTypeError, match=r"^output_type must be a pyflink\.common\.TypeInformation"
    ):
        wait_batch(numbers, Identity(), Time.seconds(30), 32, output_type=output_type)


@pytest.mark.parametrize(
    ("function", "options", "error"),
    [
        (Identity(), {"batch_size": 0}, InvalidOptionError),
        (Identity(), {"batch_size": True}, InvalidOptionTypeError),
        (Identity(), {"capacity": 0}, InvalidOptionError),
        (Identity(), {"timeout": Time.seconds(0)}, InvalidOptionError),
        (Identity(), {"batch_timeout": timedelta(0)}, InvalidOptionError),
        (Identity(), {"max_batch_bytes": 0}, InvalidOptionError),
        (Identity(), {"open_timeout": Time.seconds(0)}, InvalidOptionError),
        (Identity(), {"output_type": int}, InvalidOptionTypeError),
        (Identity, {}, InvalidFunctionError),
        (NotPicklable(), {}, FunctionNotPicklableError),
    ],
    ids=str,
)
def test_a_refused_call_leaves_no_trace(
    wait_batch: Any,
    environment: StreamExecutionEnvironment,
    builder: RecordingBuilder,
    numbers: DataStream,
    function: Any,
    options: dict[str, Any],
    error: type[Exception],
) -> None:
    before = configuration_of(environment)
    with pytest.raises(error):
        wait_batch(numbers, function, **{"timeout": Time.seconds(1), "batch_size": 8, **options})
    assert builder.calls == {}
    assert configuration_of(environment) == before


def test_an_unknown_execution_mode_is_refused(
    wait_batch: Any,
    environment: StreamExecutionEnvironment,
    builder: RecordingBuilder,
    numbers: DataStream,
) -> None:
    j_util = get_gateway().jvm.org.apache.flink.python.util.PythonConfigUtil
    j_util.getEnvironmentConfig(environment._j_stream_execution_environment).setString(
        "python.execution-mode", "fibre"
    )
    with pytest.raises(UnsupportedEnvironmentError, match="'fibre'"):
        wait_batch(numbers, Identity(), Time.seconds(30), 32)
    assert builder.calls == {}


def test_what_java_refuses_is_a_type_error_with_its_message(
    wait_batch: Any,
    builder: RecordingBuilder,
    numbers: DataStream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: Any) -> Any:
        # InvalidTypesException: Type information extraction for tuples ...
        jvm = get_gateway().jvm
        j_tuple = jvm.java.lang.Class.forName("org.apache.flink.api.java.tuple.Tuple2")
        jvm.org.apache.flink.api.java.typeutils.TypeExtractor.getForClass(j_tuple)

    monkeypatch.setattr(builder, "of", refuse, raising=False)
    with pytest.raises(UnsupportedTypeError, match=r"extraction for tuples") as raised:
        wait_batch(numbers, Identity(), Time.seconds(30), 32, output_type=Types.INT())
    assert isinstance(raised.value, TypeError)
    assert raised.value.__cause__ is not None


def test_other_java_exceptions_are_left_alone(
    wait_batch: Any,
    builder: RecordingBuilder,
    numbers: DataStream,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*arguments: Any) -> Any:
        get_gateway().jvm.java.util.Optional.empty().get()

    monkeypatch.setattr(builder, "of", fail, raising=False)
    with pytest.raises(Exception, match="NoSuchElementException"):
        wait_batch(numbers, Identity(), Time.seconds(30), 32)


@pytest.mark.parametrize("share", ["1.5", "-1", "NaN", "often"])
def test_a_share_of_traced_batches_that_cannot_be_is_refused(share: str) -> None:
    configuration = Configuration()
    configuration.set_string("async-batch.trace.sampling", share)
    environment = StreamExecutionEnvironment.get_execution_environment(configuration)
    numbers = environment.from_collection([1, 2], type_info=Types.LONG())
    with pytest.raises(UnsupportedEnvironmentError) as raised:
        AsyncDataStream.unordered_wait_batch(
            numbers, Identity(), timeout=Time.seconds(1), batch_size=1, output_type=Types.LONG()
        )
    assert "async-batch.trace.sampling must be a number from 0 to 1" in str(raised.value)
    environment.close()
