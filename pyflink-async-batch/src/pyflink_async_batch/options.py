"""The options of a batched async operator: their ranges, their defaults and their validation."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, List, Optional, Sequence

from pyflink.datastream import TimeDomain

from pyflink_async_batch.errors import InvalidOptionError, InvalidOptionTypeError
from pyflink_async_batch.grouping_options import CoalesceKey, GroupingOptions, Weigh
from pyflink_async_batch.option_checks import (
    MAX_JAVA_INT,
    MAX_JAVA_LONG,
    DurationLike,
    Shown,
    flag,
    one_of,
    positive_int,
    positive_millis,
)
from pyflink_async_batch.overload_options import (
    CircuitBreaker,
    Concurrency,
    Hedging,
    OverloadOptions,
    RetryBudget,
)
from pyflink_async_batch.resources import GpuResources

__all__ = [
    "DEFAULT_CAPACITY",
    "DEFAULT_MAX_BATCH_BYTES",
    "DEFAULT_MAX_BYTES_IN_FLIGHT",
    "DEFAULT_MAX_FRAME_BYTES",
    "DEFAULT_NAME",
    "DEFAULT_ON_FAILURE",
    "DEFAULT_OPEN_TIMEOUT",
    "DEFAULT_SHARED_MEMORY_THRESHOLD",
    "DEFAULT_WORKER",
    "AsyncBatchOptions",
    "WorkerRestart",
]

DEFAULT_CAPACITY = 100
DEFAULT_MAX_BATCH_BYTES = 32 * 1024 * 1024
DEFAULT_MAX_FRAME_BYTES = 64 * 1024 * 1024
DEFAULT_MAX_BYTES_IN_FLIGHT = 256 * 1024 * 1024
DEFAULT_SHARED_MEMORY_THRESHOLD = 128 * 1024
DEFAULT_OPEN_TIMEOUT = timedelta(minutes=10)
DEFAULT_NAME = "async batch wait operator"
DEFAULT_WORKER = "own"
DEFAULT_ON_FAILURE = "fail"

_SHARED_WORKER = "shared"
_WORKERS = (DEFAULT_WORKER, _SHARED_WORKER)
_ON_FAILURE = (DEFAULT_ON_FAILURE, "dead_letter", "skip")

# A frame has to fit into one direct buffer of the JVM.
_MAX_FRAME_BYTES = MAX_JAVA_INT - 16 * 1024 * 1024


@dataclass(frozen=True)
class WorkerRestart:
    """
    What follows the death of a worker process, however it died: by itself, by a signal, for lack of
    memory, or because it hung and was ended. Another one is started in its place, and what was in
    flight is called for again, with a new deadline; nothing else of the job notices.

    Before a restart there is a delay. It doubles with every death of a worker that has answered
    nothing, and is then shortened at random by up to a half. Rows that were in flight at several
    deaths are called for alone, in ever smaller parts, until the row that ends workers is found:
    ``on_failure`` says what becomes of it.

    Every length of time is a ``pyflink.common.Time``, a ``pyflink.common.Duration`` or a
    ``datetime.timedelta``, is rounded to milliseconds, and must then be positive.

    :param max_restarts: The most restarts within ``window``, by default 20; one more death fails
                         the task, with all of them in the message. To find one row that ends
                         workers among n takes about log2(n) + 4 of them.
    :param window: How long a restart counts; by default 10 minutes.
    :param initial_backoff: The first delay; by default 0.5 seconds.
    :param max_backoff: The longest delay; by default 30 seconds.
    :param suspect_after: Rows that were in flight at so many deaths are called for alone; by
                          default 2.
    :raises AsyncBatchError: An argument is not accepted.
    """

    max_restarts: int = 20
    window: DurationLike = timedelta(minutes=10)
    initial_backoff: DurationLike = timedelta(milliseconds=500)
    max_backoff: DurationLike = timedelta(seconds=30)
    suspect_after: int = 2

    def __post_init__(self) -> None:
        positive_int("max_restarts", self.max_restarts, MAX_JAVA_INT - 1)
        positive_int("suspect_after", self.suspect_after, MAX_JAVA_INT)
        positive_millis("window", self.window)
        initial = positive_millis("initial_backoff", self.initial_backoff)
        longest = positive_millis("max_backoff", self.max_backoff)
        if longest < initial:
            raise InvalidOptionError(
                "max_backoff", Shown(f"{longest} ms"), f"at least initial_backoff={initial} ms"
            )


@dataclass(frozen=True)
class AsyncBatchOptions:
    """Checked options of one operator, in the units of the Java side."""

    timeout_millis: int
    batch_size: int
    batch_timeout_millis: Optional[int]
    capacity: int
    max_batch_bytes: int
    max_frame_bytes: int
    open_timeout_millis: int
    batch_time_domain: TimeDomain
    latency_target_millis: Optional[int]
    max_bytes_in_flight: int
    shared_memory_threshold: int
    resources: Optional[GpuResources]
    worker: str
    worker_restart: Optional[WorkerRestart]
    stall_timeout_millis: Optional[int]
    on_failure: str
    isolate: bool
    overload: OverloadOptions
    grouping: GroupingOptions
    name: str

    @property
    def shares_worker(self) -> bool:
        """Whether the subtasks of a TaskManager share one worker."""
        return self.worker == _SHARED_WORKER

    @property
    def for_worker_processes(self) -> List[str]:
        """The arguments that were given and mean something to worker processes alone."""
        given = {
            "resources": self.resources,
            "worker_restart": self.worker_restart,
            "stall_timeout": self.stall_timeout_millis,
        }
        return [argument for argument, value in given.items() if value is not None]

    @staticmethod
    def of(
        *,
        timeout: DurationLike,
        batch_size: int,
        batch_timeout: Optional[DurationLike] = None,
        capacity: int = DEFAULT_CAPACITY,
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
    ) -> "AsyncBatchOptions":
        """
        Checks what a user gave and converts it.

        :raises InvalidOptionError: An option is out of its range.
        :raises InvalidOptionTypeError: An option is of a wrong type.
        """
        max_frame_bytes = positive_int("max_frame_bytes", max_frame_bytes, _MAX_FRAME_BYTES)
        max_batch_bytes = positive_int("max_batch_bytes", max_batch_bytes, MAX_JAVA_LONG)
        if max_batch_bytes > max_frame_bytes:
            raise InvalidOptionError(
                "max_batch_bytes", max_batch_bytes, f"at most max_frame_bytes={max_frame_bytes}"
            )
        if max_bytes_in_flight is None:
            max_bytes_in_flight = max(DEFAULT_MAX_BYTES_IN_FLIGHT, max_batch_bytes)
        max_bytes_in_flight = positive_int(
            "max_bytes_in_flight", max_bytes_in_flight, MAX_JAVA_LONG
        )
        if max_bytes_in_flight < max_batch_bytes:
            raise InvalidOptionError(
                "max_bytes_in_flight",
                max_bytes_in_flight,
                f"at least max_batch_bytes={max_batch_bytes}",
            )
        if not isinstance(batch_time_domain, TimeDomain):
            raise InvalidOptionTypeError(
                "batch_time_domain", batch_time_domain, "a pyflink.datastream.TimeDomain"
            )
        if batch_time_domain is TimeDomain.EVENT_TIME and batch_timeout is None:
            raise InvalidOptionError(
                "batch_timeout", batch_timeout, "set where batch_time_domain is EVENT_TIME"
            )
        if resources is not None and not isinstance(resources, GpuResources):
            raise InvalidOptionTypeError(
                "resources", resources, "None or a pyflink_async_batch.GpuResources"
            )
        if worker_restart is not None and not isinstance(worker_restart, WorkerRestart):
            raise InvalidOptionTypeError(
                "worker_restart", worker_restart, "None or a pyflink_async_batch.WorkerRestart"
            )
        if worker_restart is not None and worker == _SHARED_WORKER:
            raise InvalidOptionError(
                "worker", worker, f"{DEFAULT_WORKER!r} where worker_restart is given"
            )
        capacity = positive_int("capacity", capacity, MAX_JAVA_INT)
        on_failure = one_of("on_failure", on_failure, _ON_FAILURE)
        if weigh is not None and worker == _SHARED_WORKER:
            # It merges batches of several subtasks, whose weights it does not know.
            raise InvalidOptionError("worker", worker, f"{DEFAULT_WORKER!r} where weigh is given")
        timeout_millis = positive_millis("timeout", timeout)
        return AsyncBatchOptions(
            timeout_millis=timeout_millis,
            batch_size=positive_int("batch_size", batch_size, MAX_JAVA_INT),
            batch_timeout_millis=(
                None
                if batch_timeout is None
                else positive_millis("batch_timeout", batch_timeout, "None or ")
            ),
            capacity=capacity,
            max_batch_bytes=max_batch_bytes,
            max_frame_bytes=max_frame_bytes,
            open_timeout_millis=positive_millis("open_timeout", open_timeout),
            batch_time_domain=batch_time_domain,
            latency_target_millis=(
                None
                if latency_target is None
                else positive_millis("latency_target", latency_target, "None or ")
            ),
            max_bytes_in_flight=max_bytes_in_flight,
            shared_memory_threshold=positive_int(
                "shared_memory_threshold", shared_memory_threshold, MAX_JAVA_LONG
            ),
            resources=resources,
            worker=one_of("worker", worker, _WORKERS),
            worker_restart=worker_restart,
            stall_timeout_millis=(
                None
                if stall_timeout is None
                else positive_millis("stall_timeout", stall_timeout, "None or ")
            ),
            on_failure=on_failure,
            isolate=flag("isolate", isolate),
            overload=OverloadOptions.of(
                concurrency=concurrency,
                backend=backend,
                circuit_breaker=circuit_breaker,
                retry_budget=retry_budget,
                hedging=hedging,
                timeout_millis=timeout_millis,
                capacity=capacity,
                fails_job=on_failure == DEFAULT_ON_FAILURE,
            ),
            grouping=GroupingOptions.of(
                weigh=weigh,
                max_batch_weight=max_batch_weight,
                length_buckets=length_buckets,
                coalesce_key=coalesce_key,
                closes_in_time=batch_timeout is not None or latency_target is not None,
            ),
            name=operator_name(name),
        )


def operator_name(name: Any) -> str:
    if name is None:
        return DEFAULT_NAME
    if not isinstance(name, str):
        raise InvalidOptionTypeError("name", name, "None or a str")
    if not name.strip():
        raise InvalidOptionError("name", name, "None or a str that is not blank")
    return name
