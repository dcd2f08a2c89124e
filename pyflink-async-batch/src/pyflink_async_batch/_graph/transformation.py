"""Calls the Java builder that adds the operator to the job graph."""

from enum import Enum
from typing import Any, Callable, Collection, Tuple, TypeVar

from py4j.protocol import Py4JJavaError
from pyflink.java_gateway import get_gateway
from pyflink.util.java_utils import to_jarray

from pyflink_async_batch._graph.gpu_resources import j_gpu_resources
from pyflink_async_batch.errors import UnsupportedEnvironmentError, UnsupportedTypeError
from pyflink_async_batch.option_checks import positive_millis
from pyflink_async_batch.options import AsyncBatchOptions, WorkerRestart
from pyflink_async_batch.overload_options import AdaptiveConcurrency, CircuitBreaker

T = TypeVar("T")

# What the operator and Flink throw for a type that they do not accept.
_REFUSALS = (
    "io.asyncbatch.flink.arrow.UnsupportedElementTypeException",
    "org.apache.flink.api.common.functions.InvalidTypesException",
)
# For an option of the environment's configuration that makes no sense.
_MISTAKES = ("org.apache.flink.configuration.IllegalConfigurationException",)


class OutputMode(Enum):
    """In which order results leave the operator."""

    ORDERED = "ORDERED"
    UNORDERED = "UNORDERED"


def apply_transformation(
    j_data_stream: Any,
    j_output_type: Any,
    output_mode: OutputMode,
    options: AsyncBatchOptions,
    function_name: str,
    payload: bytes,
    retry_strategy: bytes,
    on_columns: bool = False,
    j_join: Any = None,
) -> Any:
    """
    :param retry_strategy: The pickled strategy; empty if calls are not repeated.
    :param on_columns: Whether the function takes and returns Arrow's columns.
    :param j_join: The Java object that says which columns of rows the function takes; None if it
                   takes the elements.
    :return: The Java stream of the operator's results.
    :raises UnsupportedTypeError: The Java side has refused the type of the inputs or the outputs.
    :raises UnsupportedEnvironmentError: The environment's configuration makes no sense.
    """

    def build() -> Any:
        builder = (
            _j_builder(j_data_stream, j_output_type, options)
            .function(function_name, bytearray(payload), bytearray(retry_strategy))
            .outputMode(output_mode.value)
            .batchSize(options.batch_size)
            .timeoutMillis(options.timeout_millis)
            .capacity(options.capacity)
            .maxBatchBytes(options.max_batch_bytes)
            .maxFrameBytes(options.max_frame_bytes)
            .openTimeoutMillis(options.open_timeout_millis)
            .maxBytesInFlight(options.max_bytes_in_flight)
            .sharedMemoryThreshold(options.shared_memory_threshold)
            .batchTimeDomain(options.batch_time_domain.name)
            .onColumns(on_columns)
            .sharedWorker(options.shares_worker)
            .onFailure(options.on_failure.upper())
            .isolate(options.isolate)
            .name(options.name)
        )
        if options.batch_timeout_millis is not None:
            builder = builder.batchTimeoutMillis(options.batch_timeout_millis)
        if options.latency_target_millis is not None:
            builder = builder.latencyTargetMillis(options.latency_target_millis)
        if options.stall_timeout_millis is not None:
            builder = builder.stallTimeoutMillis(options.stall_timeout_millis)
        if options.worker_restart is not None:
            builder = builder.workerRestart(*_worker_restart(options.worker_restart))
        if options.resources is not None:
            builder = builder.resources(j_gpu_resources(options.resources))
        overload = options.overload
        if isinstance(overload.concurrency, AdaptiveConcurrency):
            adaptive = overload.concurrency
            builder = builder.adaptiveConcurrency(
                int(adaptive.least), int(adaptive.most or 0), int(adaptive.initial or 0)
            )
        elif overload.concurrency is not None:
            builder = builder.fixedConcurrency(overload.concurrency)
        if overload.backend is not None:
            builder = builder.backend(overload.backend)
        if overload.circuit_breaker is not None:
            builder = builder.circuitBreaker(*_circuit_breaker(overload.circuit_breaker))
        if overload.retry_budget is not None:
            budget = overload.retry_budget
            builder = builder.retryBudget(float(budget.share), int(budget.reserve))
        if overload.hedging is not None:
            hedging = overload.hedging
            builder = builder.hedging(
                float(hedging.percentile),
                positive_millis("min_delay", hedging.min_delay),
                int(hedging.least_calls),
            )
        if j_join is not None:
            builder = builder.join(j_join)
        return builder.apply()

    def build_of_types() -> Any:
        return with_refusals_in_python(build, _REFUSALS, UnsupportedTypeError)

    return with_refusals_in_python(build_of_types, _MISTAKES, UnsupportedEnvironmentError)


def _j_builder(j_data_stream: Any, j_output_type: Any, options: AsyncBatchOptions) -> Any:
    if not options.grouping.looks_at_elements:
        return _j_transformation().of(j_data_stream, j_output_type)
    return _j_transformation().ofGrouped(
        j_data_stream,
        j_output_type,
        options.grouping.max_batch_weight or 0,
        to_jarray(get_gateway().jvm.long, list(options.grouping.length_buckets)),
        options.grouping.coalesce_key is not None,
    )


def _worker_restart(restart: WorkerRestart) -> Tuple[int, int, int, int, int]:
    """What the Java side takes of it, in its order."""
    return (
        restart.max_restarts,
        positive_millis("window", restart.window),
        positive_millis("initial_backoff", restart.initial_backoff),
        positive_millis("max_backoff", restart.max_backoff),
        restart.suspect_after,
    )


def _circuit_breaker(breaker: CircuitBreaker) -> Tuple[Any, ...]:
    """What the Java side takes of it, in its order."""
    slow_call = breaker.slow_call
    return (
        int(breaker.window_calls),
        positive_millis("window", breaker.window),
        int(breaker.least_calls),
        float(breaker.failure_rate),
        0 if slow_call is None else positive_millis("slow_call", slow_call),
        float(breaker.slow_call_rate),
        positive_millis("first_pause", breaker.first_pause),
        positive_millis("longest_pause", breaker.longest_pause),
        int(breaker.probes),
        breaker.when_open.upper(),
    )


def _j_transformation() -> Any:
    return get_gateway().jvm.io.asyncbatch.flink.graph.PythonAsyncBatchTransformation


def with_refusals_in_python(
    call: Callable[[], T], refusals: Collection[str], error: Callable[[str], Exception]
) -> T:
    """
    :param call: Calls the Java side.
    :param refusals: The Java exceptions, by the names of their classes or those above, that say
                     what is wrong with the arguments.
    :param error: Makes of such an exception's message what is raised instead.
    """
    try:
        return call()
    except Py4JJavaError as e:
        j_class = e.java_exception.getClass()
        while j_class is not None:
            if j_class.getName() in refusals:
                raise error(str(e.java_exception.getMessage())) from e
            j_class = j_class.getSuperclass()
        raise
