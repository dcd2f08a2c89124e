"""Refuses an operator whose jar speaks another protocol than this worker's wheel."""

from typing import Any

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch.version import __version__

OWN = async_batch_pb2.PROTOCOL_VERSION_CURRENT


def require_own_protocol(description: Any) -> None:
    """
    :param description: the ``UserDefinedAsyncBatchFunction`` that the operator sent.
    :raises RuntimeError: jar and wheel would misunderstand each other.
    """
    if description.protocol_version != OWN:
        raise RuntimeError(
            "The job's jar is of flink-python-async-batch %s and speaks version %d of the batch "
            "protocol; the worker's Python has pyflink-async-batch %s, which speaks version %d. "
            "Install the same release of pyflink-async-batch where the job is submitted and on all "
            "TaskManagers, or ship the wheel with the job: flink run -pyfs <wheel>."
            % (
                description.release or "an unknown version",
                description.protocol_version,
                __version__,
                OWN,
            )
        )
