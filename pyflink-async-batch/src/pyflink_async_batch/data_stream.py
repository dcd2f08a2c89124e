"""How users apply a batched async function to a stream."""

from typing import Any, Optional, Sequence, Union

from pyflink.common import TypeInformation, Types
from pyflink.datastream import AsyncDataStream as PyFlinkAsyncDataStream
from pyflink.datastream import DataStream, TimeDomain
from pyflink.datastream.async_retry_strategies import NO_RETRY_STRATEGY
from pyflink.datastream.data_stream import KeyedStream
from pyflink.datastream.functions import AsyncRetryStrategy

from pyflink_async_batch._graph.bundled_jar import add_bundled_jar
from pyflink_async_batch._graph.execution_environment import (
    default_to_this_interpreter,
    environment_configuration,
    require_execution_mode_for,
)
from pyflink_async_batch._graph.function_contract import require_async_batch_function
from pyflink_async_batch._graph.function_payload import (
    pickled_function,
    pickled_retry_strategy,
)
from pyflink_async_batch._graph.row_grouping import with_weights_and_keys
from pyflink_async_batch._graph.sidecar_transformation import (
    apply_sidecar_transformation,
    require_java_retry_strategy,
    require_no_worker_options,
    require_typed,
)
from pyflink_async_batch._graph.transformation import OutputMode, apply_transformation
from pyflink_async_batch.errors import (
    InvalidOptionError,
    InvalidOptionTypeError,
    qualified_name,
)
from pyflink_async_batch.function import ArrowAsyncBatchFunction, AsyncBatchFunction
from pyflink_async_batch.grouping_options import CoalesceKey, Weigh
from pyflink_async_batch.option_checks import DurationLike
from pyflink_async_batch.options import (
    DEFAULT_CAPACITY,
    DEFAULT_MAX_BATCH_BYTES,
    DEFAULT_MAX_FRAME_BYTES,
    DEFAULT_ON_FAILURE,
    DEFAULT_OPEN_TIMEOUT,
    DEFAULT_SHARED_MEMORY_THRESHOLD,
    DEFAULT_WORKER,
    AsyncBatchOptions,
    WorkerRestart,
)
from pyflink_async_batch.overload_options import CircuitBreaker, Concurrency, Hedging, RetryBudget
from pyflink_async_batch.resources import GpuResources
from pyflink_async_batch.sidecar_function import GpuSidecarAsyncBatchFunction

__all__ = ["AsyncDataStream"]

BatchFunction = Union["AsyncBatchFunction[Any, Any]", GpuSidecarAsyncBatchFunction]


class AsyncDataStream(PyFlinkAsyncDataStream):  # type: ignore[misc]
    """
    Applies an :class:`~pyflink_async_batch.AsyncBatchFunction` to a data stream, or a
    :class:`~pyflink_async_batch.GpuSidecarAsyncBatchFunction`. PyFlink's own methods, which apply
    an ``AsyncFunction`` to one element at a time, are available too.

    A batch is dispatched when it has ``batch_size`` elements, when ``batch_timeout`` has passed
    since its first element came, when another element would take it past ``max_batch_bytes``, or
    at the end of the input. Elements that were not yet emitted, in whatever state their batch is,
    are part of every checkpoint, and no checkpoint waits for them.
    """

    @staticmethod
    def unordered_wait_batch(
        data_stream: DataStream,
        async_batch_function: BatchFunction,
        timeout: DurationLike,
        batch_size: int,
        batch_timeout: Optional[DurationLike] = None,
        capacity: int = DEFAULT_CAPACITY,
        output_type: Optional[TypeInformation] = None,
        *,
        max_batch_bytes: int = DEFAULT_MAX_BATCH_BYTES,
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        open_timeout: DurationLike = DEFAULT_OPEN_TIMEOUT,
        batch_time_domain: TimeDomain = TimeDomain.PROCESSING_TIME,
        latency_target: Optional[DurationLike] = None,
        max_bytes_in_flight: Optional[int] = None,
        shared_memory_threshold: int = DEFAULT_SHARED_MEMORY_THRESHOLD,
        resources: Optional[GpuResources] = None,
        worker: str = DEFAULT_WORKER,
        worker_restart: Optional[WorkerRestart] = None,
        stall_timeout: Optional[DurationLike] = None,
        on_failure: str = DEFAULT_ON_FAILURE,
        isolate: bool = False,
        concurrency: Concurrency = None,
        backend: Optional[str] = None,
        circuit_breaker: Optional[CircuitBreaker] = None,
        retry_budget: Optional[RetryBudget] = None,
        hedging: Optional[Hedging] = None,
        weigh: Weigh = None,
        max_batch_weight: Optional[int] = None,
        length_buckets: Sequence[int] = (),
        coalesce_key: CoalesceKey = None,
        name: Optional[str] = None,
    ) -> DataStream:
        """
        Adds a batched async function to the data stream. Results leave as their batches finish, in
        any order, but never across a watermark.

        Every length of time is a ``pyflink.common.Time``, a ``pyflink.common.Duration`` or a
        ``datetime.timedelta``, is rounded to milliseconds, and must then be positive.

        :param data_stream: The input data stream. The elements of a keyed stream are taken without
                            their keys.
        :param async_batch_function: An instance of the function, or a
                                     :class:`~pyflink_async_batch.GpuSidecarAsyncBatchFunction`.
        :param timeout: How long one batch may take from its dispatch until its results are there.
                        When it has passed, the coroutine is cancelled and
                        :func:`~pyflink_async_batch.AsyncBatchFunction.timeout_batch` is called.
        :param batch_size: The most elements of one batch.
        :param batch_timeout: How long the first element of a batch waits at most for the others.
                              It waits longer only while no place is free for its batch. By
                              default a batch that is not full waits for more elements or for the
                              end of the input, without a limit.
        :param capacity: The most **batches**, not elements, that are in flight at a time:
                         dispatched and not yet emitted. When there are that many, the operator
                         holds its input back until one leaves. Up to ``capacity * batch_size``
                         elements are thus in flight; behind them one batch is being filled, and
                         few more elements are let in, so that checkpoints get through.
        :param output_type: The type of the results. By default it is
                            ``Types.PICKLED_BYTE_ARRAY()``, as everywhere in PyFlink: results of
                            any Python type, which only Python functions can read. An
                            :class:`~pyflink_async_batch.ArrowAsyncBatchFunction` and a
                            :class:`~pyflink_async_batch.GpuSidecarAsyncBatchFunction` need one.
        :param max_batch_bytes: The most bytes of one batch's elements, by an estimate of their
                                size; by default 32 MiB. A larger element is a batch of its own.
        :param max_frame_bytes: The most bytes of one batch, or of its results, on their way to and
                                from the worker, at least ``max_batch_bytes``; by default 64 MiB.
                                What is larger fails the job.
        :param open_timeout: How long a worker may take to start and to run
                             :func:`~pyflink_async_batch.AsyncBatchFunction.open`, and to wait for
                             the GPUs that ``resources`` asks for; by default 10 minutes.
        :param batch_time_domain: The time in which ``batch_timeout`` is measured, by default
                                  ``TimeDomain.PROCESSING_TIME``. In ``EVENT_TIME`` a batch closes
                                  when the watermark reaches its first element's timestamp plus
                                  ``batch_timeout``.
        :param latency_target: The time from an element's arrival to its result. A batch closes
                               early enough to meet it, given how long the last calls took; at once
                               if they take longer by themselves. By default only ``batch_timeout``
                               counts; with both, the earlier.
        :param max_bytes_in_flight: The most bytes of the elements of all batches that are in flight
                                    or await emission; then input is held back. By default 256 MiB,
                                    or ``max_batch_bytes`` if that is more. It also bounds the
                                    memory that batches take outside of Java's heap.
        :param shared_memory_threshold: Batches and results of at least so many bytes, encoded, go
                                        through memory that operator and worker share, others
                                        through a socket; by default 128 KiB. A value above
                                        ``max_frame_bytes`` shares no memory.
        :param resources: The GPUs that each subtask needs. The operator is then in a slot sharing
                          group of its own, which the operators after it join unless they are given
                          another one. Only where ``python.execution-mode`` is 'process'. By
                          default a slot like any other is taken.
        :param worker: ``"own"``, the default, for a worker process of each subtask's own, or
                       ``"shared"`` for one that all subtasks of a TaskManager share, and with it
                       one copy of the model. A shared worker's ``open`` runs once and sees the
                       index and the attempt of the subtask that started it. Batches of different
                       subtasks that come at the same moment, or while ``capacity`` calls run that
                       are not full, are handled in one call with ``batch_size`` elements and
                       ``max_batch_bytes`` at most; one that is repeated is called by itself.
                       ``max_bytes_in_flight`` then also bounds the memory of all subtasks' batches
                       together. Needs ``python.execution-mode`` to be ``process``.
        :param worker_restart: What follows the death of a worker, however it died: another one is
                               started in its place, and what was in flight is called for again.
                               Needs ``worker`` to be ``"own"`` and ``python.execution-mode`` to be
                               ``process``. By default a worker's death fails the task. See
                               ``docs/failures.md``.
        :param stall_timeout: How long the worker's event loop may be blocked, by a coroutine that
                              does not await or a process that does not run. Then what blocks it is
                              in the log, and the worker is killed. By default 10 seconds more than
                              ``timeout``; a shorter one for a function that never blocks the loop
                              finds a hang sooner. Needs ``python.execution-mode`` to be
                              ``process``.
        :param on_failure: What becomes of elements for which there is no result, once no call is
                           repeated any more. ``"fail"``, the default, fails the job.
                           ``"dead_letter"`` has each leave through the side output of
                           :func:`~pyflink_async_batch.dead_letters_tag`, ``"skip"`` leaves it out;
                           both count it, and the other elements of its batch are emitted as
                           always. What the death of a worker means is up to
                           ``worker_restart``.
        :param isolate: Whether a call that raises, or returns what is no result, is followed by
                        calls for its halves, until the elements that make it fail stand alone and
                        all others have their results: about ``2 * k * log2(n)`` more calls for
                        ``k`` such elements among ``n``, one after the other and all before
                        ``timeout``. By default all elements of such a call have failed.
        :param concurrency: The most calls of a subtask in flight at a time: a number,
                            ``"adaptive"`` for one that is found from how long calls take and how
                            they end, or an :class:`~pyflink_async_batch.AdaptiveConcurrency` with
                            bounds. A batch that waits for a retry, or for its results to leave, is
                            within ``capacity`` and no call. By default a call for each batch in
                            flight. See ``docs/overload.md``.
        :param backend: The name of what is called. Subtasks of a TaskManager, of any operator of
                        the job, that name the same one share one ``concurrency``, one
                        ``circuit_breaker`` and one ``retry_budget``, of which one at least must be
                        given, and all must give the same. A number is then what all subtasks have
                        together. By default each subtask is on its own.
        :param circuit_breaker: When calls stop because the backend fails, and what becomes of
                                elements meanwhile; by default they never do.
        :param retry_budget: How many calls are repeated, as a share of those that succeed; by
                             default as many as the retry strategy and
                             :class:`~pyflink_async_batch.RetryLater` ask for.
        :param hedging: When a batch that takes long is called for a second time while its first
                        call goes on, as ``Hedging()``; the first result counts. By default no batch
                        is. Needs a ``retry_budget``, and a function that is **idempotent**: it is
                        called twice for the same elements.
        :param weigh: What an element weighs in the unit of whatever computes it, such as tokens or
                      pixels: a function of an element that returns an ``int``, at least 0. It must
                      not block; what it raises fails the job. It runs in PyFlink's own Python
                      worker before the operator, as ``coalesce_key`` does, to which elements then
                      travel first. Together with ``max_batch_weight`` or
                      ``length_buckets``, and not with ``worker="shared"``. See ``docs/rows.md``.
        :param max_batch_weight: The most that the elements of one batch weigh. A heavier element
                                 is a batch of its own. ``batch_size`` and ``max_batch_bytes`` stay
                                 in force.
        :param length_buckets: The most that elements weigh that share batches, ascending: with
                               ``[128, 1024]`` those up to 128, those up to 1,024 and the heavier
                               ones are in batches of their own. For unordered results, and only
                               with a ``batch_timeout`` or a ``latency_target``, which bound how
                               long an element waits for others of its length.
        :param coalesce_key: Elements with equal keys are computed once as long as one of them is in
                             flight or waits in a batch; the others take a copy of its result. A
                             function of an element that returns a ``str``, ``bytes``, an ``int``,
                             or None for an element that is equal to no other. Elements that wait
                             for another one count as in flight: when there are ``capacity *
                             batch_size`` of them, input is held back. See ``docs/rows.md`` for
                             what failures and timeouts mean to them.
        :param name: The name of the operator; by default 'async batch wait operator'.
        :return: The transformed DataStream.
        :raises AsyncBatchError: An argument or the environment is not accepted. Its subclasses are
                                 also a ``TypeError``, a ``ValueError`` or a ``RuntimeError``.
        """
        options = AsyncBatchOptions.of(
            timeout=timeout,
            batch_size=batch_size,
            batch_timeout=batch_timeout,
            capacity=capacity,
            max_batch_bytes=max_batch_bytes,
            max_frame_bytes=max_frame_bytes,
            open_timeout=open_timeout,
            batch_time_domain=batch_time_domain,
            latency_target=latency_target,
            max_bytes_in_flight=max_bytes_in_flight,
            shared_memory_threshold=shared_memory_threshold,
            resources=resources,
            worker=worker,
            worker_restart=worker_restart,
            stall_timeout=stall_timeout,
            on_failure=on_failure,
            isolate=isolate,
            concurrency=concurrency,
            backend=backend,
            circuit_breaker=circuit_breaker,
            retry_budget=retry_budget,
            hedging=hedging,
            weigh=weigh,
            max_batch_weight=max_batch_weight,
            length_buckets=length_buckets,
            coalesce_key=coalesce_key,
            name=name,
        )
        return _wait_batch(
            data_stream, async_batch_function, OutputMode.UNORDERED, options, output_type
        )

    @staticmethod
    def unordered_wait_batch_with_retry(
        data_stream: DataStream,
        async_batch_function: BatchFunction,
        timeout: DurationLike,
        batch_size: int,
        async_retry_strategy: AsyncRetryStrategy,
        batch_timeout: Optional[DurationLike] = None,
        capacity: int = DEFAULT_CAPACITY,
        output_type: Optional[TypeInformation] = None,
        *,
        max_batch_bytes: int = DEFAULT_MAX_BATCH_BYTES,
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        open_timeout: DurationLike = DEFAULT_OPEN_TIMEOUT,
        batch_time_domain: TimeDomain = TimeDomain.PROCESSING_TIME,
        latency_target: Optional[DurationLike] = None,
        max_bytes_in_flight: Optional[int] = None,
        shared_memory_threshold: int = DEFAULT_SHARED_MEMORY_THRESHOLD,
        resources: Optional[GpuResources] = None,
        worker: str = DEFAULT_WORKER,
        worker_restart: Optional[WorkerRestart] = None,
        stall_timeout: Optional[DurationLike] = None,
        on_failure: str = DEFAULT_ON_FAILURE,
        isolate: bool = False,
        concurrency: Concurrency = None,
        backend: Optional[str] = None,
        circuit_breaker: Optional[CircuitBreaker] = None,
        retry_budget: Optional[RetryBudget] = None,
        hedging: Optional[Hedging] = None,
        weigh: Weigh = None,
        max_batch_weight: Optional[int] = None,
        length_buckets: Sequence[int] = (),
        coalesce_key: CoalesceKey = None,
        name: Optional[str] = None,
    ) -> DataStream:
        """
        As :func:`unordered_wait_batch`, but repeats calls as the strategy says. A batch that awaits
        its retry keeps its place among those in flight; ``timeout`` covers all of its attempts.

        :param async_retry_strategy: An :class:`ExponentialBackoffRetryStrategy` or any of
                                     PyFlink's. Its predicates run in the worker, see all results
                                     of a batch, as the function returned them, or the exception
                                     of its call, and must not block.
                                     Results that are refused, and timeouts, are not retried. For
                                     a :class:`~pyflink_async_batch.GpuSidecarAsyncBatchFunction`,
                                     an :class:`ExponentialBackoffRetryStrategy` without predicates.
        """
        options = AsyncBatchOptions.of(
            timeout=timeout,
            batch_size=batch_size,
            batch_timeout=batch_timeout,
            capacity=capacity,
            max_batch_bytes=max_batch_bytes,
            max_frame_bytes=max_frame_bytes,
            open_timeout=open_timeout,
            batch_time_domain=batch_time_domain,
            latency_target=latency_target,
            max_bytes_in_flight=max_bytes_in_flight,
            shared_memory_threshold=shared_memory_threshold,
            resources=resources,
            worker=worker,
            worker_restart=worker_restart,
            stall_timeout=stall_timeout,
            on_failure=on_failure,
            isolate=isolate,
            concurrency=concurrency,
            backend=backend,
            circuit_breaker=circuit_breaker,
            retry_budget=retry_budget,
            hedging=hedging,
            weigh=weigh,
            max_batch_weight=max_batch_weight,
            length_buckets=length_buckets,
            coalesce_key=coalesce_key,
            name=name,
        )
        return _wait_batch(
            data_stream,
            async_batch_function,
            OutputMode.UNORDERED,
            options,
            output_type,
            async_retry_strategy,
        )

    @staticmethod
    def ordered_wait_batch(
        data_stream: DataStream,
        async_batch_function: BatchFunction,
        timeout: DurationLike,
        batch_size: int,
        batch_timeout: Optional[DurationLike] = None,
        capacity: int = DEFAULT_CAPACITY,
        output_type: Optional[TypeInformation] = None,
        *,
        max_batch_bytes: int = DEFAULT_MAX_BATCH_BYTES,
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        open_timeout: DurationLike = DEFAULT_OPEN_TIMEOUT,
        batch_time_domain: TimeDomain = TimeDomain.PROCESSING_TIME,
        latency_target: Optional[DurationLike] = None,
        max_bytes_in_flight: Optional[int] = None,
        shared_memory_threshold: int = DEFAULT_SHARED_MEMORY_THRESHOLD,
        resources: Optional[GpuResources] = None,
        worker: str = DEFAULT_WORKER,
        worker_restart: Optional[WorkerRestart] = None,
        stall_timeout: Optional[DurationLike] = None,
        on_failure: str = DEFAULT_ON_FAILURE,
        isolate: bool = False,
        concurrency: Concurrency = None,
        backend: Optional[str] = None,
        circuit_breaker: Optional[CircuitBreaker] = None,
        retry_budget: Optional[RetryBudget] = None,
        hedging: Optional[Hedging] = None,
        weigh: Weigh = None,
        max_batch_weight: Optional[int] = None,
        length_buckets: Sequence[int] = (),
        coalesce_key: CoalesceKey = None,
        name: Optional[str] = None,
    ) -> DataStream:
        """
        Adds a batched async function to the data stream. Results leave in the order of the inputs:
        those of a batch that finishes early wait for the batches before it, and count towards
        ``capacity`` while they do.

        The parameters are those of :func:`unordered_wait_batch`.
        """
        options = AsyncBatchOptions.of(
            timeout=timeout,
            batch_size=batch_size,
            batch_timeout=batch_timeout,
            capacity=capacity,
            max_batch_bytes=max_batch_bytes,
            max_frame_bytes=max_frame_bytes,
            open_timeout=open_timeout,
            batch_time_domain=batch_time_domain,
            latency_target=latency_target,
            max_bytes_in_flight=max_bytes_in_flight,
            shared_memory_threshold=shared_memory_threshold,
            resources=resources,
            worker=worker,
            worker_restart=worker_restart,
            stall_timeout=stall_timeout,
            on_failure=on_failure,
            isolate=isolate,
            concurrency=concurrency,
            backend=backend,
            circuit_breaker=circuit_breaker,
            retry_budget=retry_budget,
            hedging=hedging,
            weigh=weigh,
            max_batch_weight=max_batch_weight,
            length_buckets=length_buckets,
            coalesce_key=coalesce_key,
            name=name,
        )
        return _wait_batch(
            data_stream, async_batch_function, OutputMode.ORDERED, options, output_type
        )

    @staticmethod
    def ordered_wait_batch_with_retry(
        data_stream: DataStream,
        async_batch_function: BatchFunction,
        timeout: DurationLike,
        batch_size: int,
        async_retry_strategy: AsyncRetryStrategy,
        batch_timeout: Optional[DurationLike] = None,
        capacity: int = DEFAULT_CAPACITY,
        output_type: Optional[TypeInformation] = None,
        *,
        max_batch_bytes: int = DEFAULT_MAX_BATCH_BYTES,
        max_frame_bytes: int = DEFAULT_MAX_FRAME_BYTES,
        open_timeout: DurationLike = DEFAULT_OPEN_TIMEOUT,
        batch_time_domain: TimeDomain = TimeDomain.PROCESSING_TIME,
        latency_target: Optional[DurationLike] = None,
        max_bytes_in_flight: Optional[int] = None,
        shared_memory_threshold: int = DEFAULT_SHARED_MEMORY_THRESHOLD,
        resources: Optional[GpuResources] = None,
        worker: str = DEFAULT_WORKER,
        worker_restart: Optional[WorkerRestart] = None,
        stall_timeout: Optional[DurationLike] = None,
        on_failure: str = DEFAULT_ON_FAILURE,
        isolate: bool = False,
        concurrency: Concurrency = None,
        backend: Optional[str] = None,
        circuit_breaker: Optional[CircuitBreaker] = None,
        retry_budget: Optional[RetryBudget] = None,
        hedging: Optional[Hedging] = None,
        weigh: Weigh = None,
        max_batch_weight: Optional[int] = None,
        length_buckets: Sequence[int] = (),
        coalesce_key: CoalesceKey = None,
        name: Optional[str] = None,
    ) -> DataStream:
        """
        As :func:`ordered_wait_batch`, but repeats calls as the strategy says; see
        :func:`unordered_wait_batch_with_retry`.
        """
        options = AsyncBatchOptions.of(
            timeout=timeout,
            batch_size=batch_size,
            batch_timeout=batch_timeout,
            capacity=capacity,
            max_batch_bytes=max_batch_bytes,
            max_frame_bytes=max_frame_bytes,
            open_timeout=open_timeout,
            batch_time_domain=batch_time_domain,
            latency_target=latency_target,
            max_bytes_in_flight=max_bytes_in_flight,
            shared_memory_threshold=shared_memory_threshold,
            resources=resources,
            worker=worker,
            worker_restart=worker_restart,
            stall_timeout=stall_timeout,
            on_failure=on_failure,
            isolate=isolate,
            concurrency=concurrency,
            backend=backend,
            circuit_breaker=circuit_breaker,
            retry_budget=retry_budget,
            hedging=hedging,
            weigh=weigh,
            max_batch_weight=max_batch_weight,
            length_buckets=length_buckets,
            coalesce_key=coalesce_key,
            name=name,
        )
        return _wait_batch(
            data_stream,
            async_batch_function,
            OutputMode.ORDERED,
            options,
            output_type,
            async_retry_strategy,
        )


def _wait_batch(
    data_stream: Any,
    function: BatchFunction,
    output_mode: OutputMode,
    options: AsyncBatchOptions,
    output_type: Optional[TypeInformation],
    retry_strategy: AsyncRetryStrategy = NO_RETRY_STRATEGY,
) -> DataStream:
    # Whatever can be refused is refused before the environment is touched.
    if not isinstance(data_stream, DataStream):
        raise InvalidOptionTypeError("data_stream", data_stream, "a pyflink.datastream.DataStream")
    if isinstance(function, GpuSidecarAsyncBatchFunction):
        return _wait_batch_at_sidecar(
            data_stream, function, output_mode, options, output_type, retry_strategy
        )
    require_async_batch_function(function)
    _require_order_of_length_buckets(options, output_mode)
    output_type = _require_output_type(output_type, function)
    j_configuration = environment_configuration(
        data_stream._j_data_stream.getExecutionEnvironment()
    )
    require_execution_mode_for(options, j_configuration)
    payload = pickled_function(function)
    pickled_strategy = pickled_retry_strategy(retry_strategy)

    add_bundled_jar(j_configuration)
    default_to_this_interpreter(j_configuration)
    if isinstance(data_stream, KeyedStream):
        # Its Java elements are pairs of a key and a value.
        data_stream = data_stream._values()
    if options.grouping.looks_at_elements:
        data_stream = with_weights_and_keys(data_stream, options)
    return DataStream(
        apply_transformation(
            data_stream._j_data_stream,
            output_type.get_java_type_info(),
            output_mode,
            options,
            qualified_name(type(function)),
            payload,
            pickled_strategy,
            isinstance(function, ArrowAsyncBatchFunction),
        )
    )


def _require_order_of_length_buckets(options: AsyncBatchOptions, mode: OutputMode) -> None:
    if options.grouping.length_buckets and mode is not OutputMode.UNORDERED:
        raise InvalidOptionError(
            "length_buckets", options.grouping.length_buckets, "left out where results are ordered"
        )


def _wait_batch_at_sidecar(
    data_stream: Any,
    function: GpuSidecarAsyncBatchFunction,
    output_mode: OutputMode,
    options: AsyncBatchOptions,
    output_type: Optional[TypeInformation],
    retry_strategy: AsyncRetryStrategy,
) -> DataStream:
    output_type = _require_output_type(output_type, function)
    require_no_worker_options(options)
    java_strategy = require_java_retry_strategy(retry_strategy)
    if isinstance(data_stream, KeyedStream):
        # Its Java elements are pairs of a key and a value, which a Python worker takes apart.
        data_stream = data_stream._values()
    require_typed(data_stream)
    j_data_stream = data_stream._j_data_stream
    add_bundled_jar(environment_configuration(j_data_stream.getExecutionEnvironment()))
    return DataStream(
        apply_sidecar_transformation(
            j_data_stream,
            output_type.get_java_type_info(),
            output_mode,
            options,
            function,
            java_strategy,
        )
    )


def _require_output_type(output_type: Any, function: Any) -> TypeInformation:
    must_be_typed = isinstance(function, (ArrowAsyncBatchFunction, GpuSidecarAsyncBatchFunction))
    if output_type is None and not must_be_typed:
        return Types.PICKLED_BYTE_ARRAY()
    if not isinstance(output_type, TypeInformation):
        raise InvalidOptionTypeError(
            "output_type",
            output_type,
            "a pyflink.common.TypeInformation, such as Types.FLOAT() or Types.ROW([...])",
        )
    return output_type
