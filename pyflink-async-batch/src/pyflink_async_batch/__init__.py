"""
Batched asynchronous inference for PyFlink: write an :class:`AsyncBatchFunction`, or an
:class:`ArrowAsyncBatchFunction` on columns, and apply it to a stream with
:func:`AsyncDataStream.unordered_wait_batch` or :func:`AsyncDataStream.ordered_wait_batch`.
"""

# First, because the other modules import what only a supported PyFlink has.
from pyflink_async_batch._graph.pyflink_version import require_supported_pyflink

require_supported_pyflink()

from pyflink_async_batch.batch_codec import (  # noqa: E402
    BatchCodec,
    FailedRow,
    RequestCodec,
    RequestId,
    ResultCodec,
    SubmittedRow,
)
from pyflink_async_batch.batch_collector import BatchInferenceCollector  # noqa: E402
from pyflink_async_batch.batch_inference import BatchInference  # noqa: E402
from pyflink_async_batch.batch_options import BatchInferenceOptions  # noqa: E402
from pyflink_async_batch.batch_submitter import BatchInferenceSubmitter  # noqa: E402
from pyflink_async_batch.data_stream import AsyncDataStream  # noqa: E402
from pyflink_async_batch.dead_letters import dead_letters_tag  # noqa: E402
from pyflink_async_batch.errors import (  # noqa: E402
    AsyncBatchError,
    FunctionNotPicklableError,
    InvalidFunctionError,
    InvalidOptionError,
    InvalidOptionTypeError,
    UnsupportedEnvironmentError,
    UnsupportedTableError,
    UnsupportedTypeError,
)
from pyflink_async_batch.function import (  # noqa: E402
    ArrowAsyncBatchFunction,
    AsyncBatchFunction,
)
from pyflink_async_batch.options import WorkerRestart  # noqa: E402
from pyflink_async_batch.outcomes import (  # noqa: E402
    BatchTooLarge,
    ColumnResults,
    RowFailure,
)
from pyflink_async_batch.overload_options import (  # noqa: E402
    AdaptiveConcurrency,
    CircuitBreaker,
    Hedging,
    RetryBudget,
)
from pyflink_async_batch.resources import GpuResources  # noqa: E402
from pyflink_async_batch.retry_later import RetryLater  # noqa: E402
from pyflink_async_batch.retry_strategy import ExponentialBackoffRetryStrategy  # noqa: E402
from pyflink_async_batch.sidecar_function import (  # noqa: E402
    GpuSidecarAsyncBatchFunction,
    TensorField,
)
from pyflink_async_batch.version import __version__  # noqa: E402

__all__ = [
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
