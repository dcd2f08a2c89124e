"""What became of one job over a while."""

import time
from dataclasses import dataclass, field
from typing import Callable, List

from pyflink_async_batch._watch.cluster_reader import ClusterReader
from pyflink_async_batch._watch.flink_rest import NotFoundError, RestError
from pyflink_async_batch._watch.growth import JobGrowth
from pyflink_async_batch._watch.observation import Job
from pyflink_async_batch._watch.operator_cells import rows_per_second

# So many answers in a row that do not come mean that the cluster has gone.
_FAILURES_UNTIL_GONE = 3


@dataclass(frozen=True)
class Sample:
    """One look, with what only several of them tell.

    :param rows_per_second: of each operator, by its key.
    """

    job: Job
    rows_per_second: "dict[tuple[str, str], float | None]"


@dataclass
class Recording:
    """
    The samples of one job, oldest first.

    :param started: seconds since the epoch.
    :param ended_by: why there are no more samples, as a sentence.
    """

    flink_version: str
    started: float
    growth: JobGrowth = field(default_factory=JobGrowth)
    samples: List[Sample] = field(default_factory=list)
    ended_by: str = ""


def record(
    reader: ClusterReader,
    job_id: str,
    seconds: float,
    interval: float,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Recording:
    """
    Looks at a job every ``interval`` seconds, for ``seconds`` or until it has ended. Ctrl-C ends it
    early, with what there is.

    :raises NotFoundError: there is no such job.
    :raises RestError: the cluster did not answer even once.
    """
    recording = Recording(reader.flink_version(), time.time())
    end = clock() + seconds
    failures = 0
    try:
        while True:
            try:
                job = reader.job(job_id)
            except RestError as error:
                # A cluster that ends with its job, as that of a local job does, says nothing more.
                failures += 1
                if not recording.samples:
                    raise
                if isinstance(error, NotFoundError) or failures == _FAILURES_UNTIL_GONE:
                    recording.ended_by = "The cluster no longer answered."
                    return recording
            else:
                failures = 0
                _add(recording, job)
                if job.ended:
                    recording.ended_by = "The job ended: %s." % job.state
                    return recording
            if clock() + interval > end:
                recording.ended_by = "The time that was asked for was over."
                return recording
            wait(interval)
    except KeyboardInterrupt:
        recording.ended_by = "It was interrupted."
        return recording


def _add(recording: Recording, job: Job) -> None:
    recording.growth.add(job)
    rates = {
        operator.key: rows_per_second(job, operator, recording.growth) for operator in job.operators
    }
    recording.samples.append(Sample(job, rates))
