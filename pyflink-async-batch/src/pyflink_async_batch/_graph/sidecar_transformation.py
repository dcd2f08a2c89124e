"""Calls the Java API for a function that a model server computes."""

import re
from typing import Any, Callable, Optional, Union

from pyflink.datastream.async_retry_strategies import NoRetryStrategy
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import to_jarray

from pyflink_async_batch._graph.transformation import OutputMode, with_refusals_in_python
from pyflink_async_batch.errors import (
    InvalidFunctionError,
    InvalidOptionError,
    InvalidOptionTypeError,
    UnsupportedTypeError,
)
from pyflink_async_batch.option_checks import DurationLike, positive_millis
from pyflink_async_batch.options import (
    DEFAULT_MAX_FRAME_BYTES,
    DEFAULT_OPEN_TIMEOUT,
    DEFAULT_SHARED_MEMORY_THRESHOLD,
    DEFAULT_WORKER,
    AsyncBatchOptions,
)
from pyflink_async_batch.overload_options import (
    AdaptiveConcurrency,
    CircuitBreaker,
    OverloadOptions,
)
from pyflink_async_batch.retry_strategy import ExponentialBackoffRetryStrategy
from pyflink_async_batch.sidecar_function import GpuSidecarAsyncBatchFunction, TensorField

_PICKLED = "org.apache.flink.streaming.api.typeinfo.python.PickledByteArrayTypeInfo"
_REFUSAL = "java.lang.IllegalArgumentException"

# The options of Java's builder, by what its setters take.
_DURATIONS = {"request_timeout", "ready_timeout", "max_reconnect_delay"}
_VALUES = {
    "model_version",
    "max_in_flight",
    "max_message_bytes",
    "ca_file",
    "token_from_environment",
    "token_from_file",
    "shared_memory_threshold",
    "max_shared_memory_bytes",
}
_FLAGS = {"tls", "plaintext"}
_PAIRED = {
    "keep_alive_time",
    "keep_alive_timeout",
    "client_certificate_file",
    "client_key_file",
}


def require_no_worker_options(options: AsyncBatchOptions) -> None:
    """:raises InvalidOptionError: An option is set that only a Python worker has a use for."""
    unused = [
        (
            "open_timeout",
            options.open_timeout_millis,
            positive_millis("open_timeout", DEFAULT_OPEN_TIMEOUT),
            "ready_timeout",
        ),
        (
            "max_frame_bytes",
            options.max_frame_bytes,
            DEFAULT_MAX_FRAME_BYTES,
            "max_message_bytes",
        ),
        (
            "shared_memory_threshold",
            options.shared_memory_threshold,
            DEFAULT_SHARED_MEMORY_THRESHOLD,
            "shared_memory_threshold",
        ),
        ("worker", options.worker, DEFAULT_WORKER, None),
        ("resources", options.resources, None, None),
        ("worker_restart", options.worker_restart, None, None),
        ("stall_timeout", options.stall_timeout_millis, None, None),
        ("weigh", options.grouping.weigh, None, None),
        ("coalesce_key", options.grouping.coalesce_key, None, None),
    ]
    for option, value, default, instead in unused:
        if value != default:
            hint = f"; set {instead} of the GpuSidecarAsyncBatchFunction" if instead else ""
            raise InvalidOptionError(option, value, f"left out, as there is no Python worker{hint}")


def require_java_retry_strategy(strategy: Any) -> Optional[ExponentialBackoffRetryStrategy]:
    """
    :return: The strategy; None for one that repeats no call.
    :raises InvalidOptionTypeError: It would have to be asked in Python.
    """
    accepted = (
        "an ExponentialBackoffRetryStrategy without predicates, as no Python runs beside a "
        "GpuSidecarAsyncBatchFunction: requests that may succeed later are repeated"
    )
    if isinstance(strategy, NoRetryStrategy):
        return None
    # A subclass may decide by code of its own.
    if (
        type(strategy) is not ExponentialBackoffRetryStrategy
        or strategy._result_predicate is not None
        or strategy._exception_predicate is not None
    ):
        raise InvalidOptionTypeError("async_retry_strategy", strategy, accepted)
    return strategy


def require_typed(data_stream: Any) -> None:
    """:raises UnsupportedTypeError: The elements of the stream are pickled."""
    j_type = data_stream._j_data_stream.getType()
    if j_type.getClass().getName() == _PICKLED:
        raise UnsupportedTypeError(
            "The elements of the stream are pickled, and a GpuSidecarAsyncBatchFunction has no "
            "Python worker to read them: give the stream a type, as in "
            "map(..., output_type=Types.ROW_NAMED([...], [...]))."
        )


def apply_sidecar_transformation(
    j_data_stream: Any,
    j_output_type: Any,
    output_mode: OutputMode,
    options: AsyncBatchOptions,
    function: GpuSidecarAsyncBatchFunction,
    retry_strategy: Optional[ExponentialBackoffRetryStrategy],
) -> Any:
    """
    :return: The Java stream of the operator's results.
    :raises InvalidFunctionError: The function's options contradict each other or the endpoint.
    :raises UnsupportedTypeError: The fields do not fit the stream or the type of the outputs.
    """
    j_package = get_gateway().jvm.io.asyncbatch.flink
    j_options = _refused_as(
        lambda reason: InvalidFunctionError(
            "GpuSidecarAsyncBatchFunction: " + _in_snake_case(reason)
        ),
        lambda: _j_sidecar_options(function),
    )
    j_codec = _refused_as(
        UnsupportedTypeError,
        lambda: j_package.sidecar.TensorCodecs.forTypes(
            j_data_stream.getType(), j_output_type, _j_codec_options(function)
        ),
    )
    return j_package.graph.JavaAsyncBatchTransformation.add(
        j_data_stream,
        j_output_type,
        options.name,
        j_package.sidecar.GpuSidecarAsyncBatchFunction(j_options, j_codec),
        _j_batch_options(options),
        None if retry_strategy is None else _j_retry_strategy(retry_strategy),
        output_mode.value,
    )


def _refused_as(error: Callable[[str], Exception], call: Callable[[], Any]) -> Any:
    return with_refusals_in_python(call, [_REFUSAL], error)


def _in_snake_case(reason: str) -> str:
    """What Java says, with the options' names as they are here."""
    names = {_camel_case(name): name for name in _DURATIONS | _VALUES | _FLAGS | _PAIRED}
    return re.sub(r"\b[a-zA-Z]+\b", lambda word: names.get(word[0], word[0]), reason)


def _camel_case(name: str) -> str:
    return re.sub("_([a-z])", lambda found: found[1].upper(), name)


def _j_sidecar_options(function: GpuSidecarAsyncBatchFunction) -> Any:
    j_options_class = get_gateway().jvm.io.asyncbatch.flink.sidecar.SidecarOptions
    builder = j_options_class.builder(function.endpoint, function.model_name)
    options = function.options
    for name in _DURATIONS & options.keys():
        getattr(builder, _camel_case(name))(_j_millis(options[name]))
    for name in _VALUES & options.keys():
        getattr(builder, _camel_case(name))(options[name])
    for name in _FLAGS & options.keys():
        getattr(builder, _camel_case(name))()
    if "keep_alive_time" in options:
        builder.keepAlive(
            _j_millis(options["keep_alive_time"]), _j_millis(options["keep_alive_timeout"])
        )
    if "client_certificate_file" in options:
        builder.clientCertificate(options["client_certificate_file"], options["client_key_file"])
    return builder.build()


def _j_codec_options(function: GpuSidecarAsyncBatchFunction) -> Any:
    builder = get_gateway().jvm.io.asyncbatch.flink.sidecar.TensorCodecOptions.builder()
    for field in function.inputs:
        builder.input(_j_field(field))
    for field in function.outputs:
        builder.output(_j_field(field))
    if function.copy_record_fields:
        builder.copyRecordFields()
    return builder.build()


def _j_field(field: TensorField) -> Any:
    gateway = get_gateway()
    j_sidecar = gateway.jvm.io.asyncbatch.flink.sidecar
    j_field = j_sidecar.TensorField.of(field.name)
    if field.tensor is not None:
        j_field = j_field.tensor(field.tensor)
    if field.data_type is not None:
        j_field = j_field.dataType(j_sidecar.TensorDataType.valueOf(field.data_type))
    if field.shape is not None:
        j_field = j_field.shape(to_jarray(gateway.jvm.long, list(field.shape)))
    return j_field


def _j_batch_options(options: AsyncBatchOptions) -> Any:
    jvm = get_gateway().jvm
    builder = (
        jvm.io.asyncbatch.flink.AsyncBatchOptions.builder(
            options.batch_size, _j_millis(options.timeout_millis)
        )
        .capacity(options.capacity)
        .maxBatchBytes(options.max_batch_bytes)
        .maxBytesInFlight(options.max_bytes_in_flight)
        .batchTimeDomain(
            jvm.org.apache.flink.streaming.api.TimeDomain.valueOf(options.batch_time_domain.name)
        )
        .onFailure(jvm.io.asyncbatch.flink.OnFailure.valueOf(options.on_failure.upper()))
        .isolate(options.isolate)
    )
    if options.batch_timeout_millis is not None:
        builder.batchTimeout(_j_millis(options.batch_timeout_millis))
    if options.latency_target_millis is not None:
        builder.latencyTarget(_j_millis(options.latency_target_millis))
    _add_overload(builder, options.overload)
    return builder.build()


def _add_overload(builder: Any, options: OverloadOptions) -> None:
    j_package = get_gateway().jvm.io.asyncbatch.flink
    if options.concurrency is not None:
        builder.concurrency(_j_concurrency(options.concurrency))
    if options.backend is not None:
        builder.backend(options.backend)
    if options.circuit_breaker is not None:
        builder.circuitBreaker(_j_circuit_breaker(options.circuit_breaker))
    if options.retry_budget is not None:
        budget = options.retry_budget
        builder.retryBudget(j_package.RetryBudgetOptions(float(budget.share), int(budget.reserve)))
    if options.hedging is not None:
        hedging = options.hedging
        builder.hedging(
            j_package.HedgingOptions(
                float(hedging.percentile),
                _j_duration("min_delay", hedging.min_delay),
                int(hedging.least_calls),
            )
        )


def _j_concurrency(concurrency: Union[int, AdaptiveConcurrency]) -> Any:
    j_class = get_gateway().jvm.io.asyncbatch.flink.Concurrency
    if not isinstance(concurrency, AdaptiveConcurrency):
        return j_class.fixed(concurrency)
    if concurrency.most is None:
        j_concurrency = j_class.adaptiveFrom(int(concurrency.least))
    else:
        j_concurrency = j_class.adaptive(int(concurrency.least), int(concurrency.most))
    if concurrency.initial is not None:
        j_concurrency = j_concurrency.withInitial(int(concurrency.initial))
    return j_concurrency


def _j_circuit_breaker(breaker: CircuitBreaker) -> Any:
    j_class = get_gateway().jvm.io.asyncbatch.flink.CircuitBreakerOptions
    builder = (
        j_class.builder()
        .window(
            int(breaker.window_calls),
            _j_duration("window", breaker.window),
            int(breaker.least_calls),
        )
        .failureRate(float(breaker.failure_rate))
        .pause(
            _j_duration("first_pause", breaker.first_pause),
            _j_duration("longest_pause", breaker.longest_pause),
        )
        .probes(int(breaker.probes))
        .whenOpen(j_class.WhenOpen.valueOf(breaker.when_open.upper()))
    )
    if breaker.slow_call is not None:
        builder.slowCallRate(
            float(breaker.slow_call_rate), _j_duration("slow_call", breaker.slow_call)
        )
    return builder.build()


def _j_duration(option: str, duration: DurationLike) -> Any:
    return _j_millis(positive_millis(option, duration))


def _j_retry_strategy(strategy: ExponentialBackoffRetryStrategy) -> Any:
    j_package = get_gateway().jvm.io.asyncbatch.flink
    builder = (
        j_package.ExponentialBackoffRetryStrategy.builder(
            strategy._max_retries, _j_millis(strategy._initial_delay)
        )
        .maxDelay(_j_millis(strategy._max_delay))
        .multiplier(strategy._multiplier)
        .ifException(j_package.sidecar.SidecarRetryPredicate())
    )
    if strategy._full_jitter:
        builder.fullJitter()
    return builder.build()


def _j_millis(millis: int) -> Any:
    return get_gateway().jvm.java.time.Duration.ofMillis(millis)
