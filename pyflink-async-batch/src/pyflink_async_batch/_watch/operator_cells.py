"""An operator as a row of a table: the same in the terminal and in a report."""

from collections import Counter
from typing import List, Optional, Sequence, Tuple

from pyflink_async_batch._watch import metric_names
from pyflink_async_batch._watch.growth import JobGrowth
from pyflink_async_batch._watch.observation import Job, Operator
from pyflink_async_batch._watch.plain_text import (
    UNKNOWN,
    count,
    decimal,
    duration,
    milliseconds,
    printable,
    size,
)
from pyflink_async_batch._watch.size_histogram import bins, sparkline

# Of io.asyncbatch.flink.limit.CircuitBreaker.State, where a gauge gives its number.
_BREAKER_STATES = ("CLOSED", "OPEN", "HALF_OPEN")

# What the gauge says where there is no limit.
_UNLIMITED = 2**31 - 1

# The title of what an operator is called.
NAME = "operator"

# The title of what is drawn with characters.
SIZES = "batch sizes"

Cells = List[Tuple[str, str]]


def cells(job: Job, operator: Operator, growth: JobGrowth) -> Cells:
    """What to show of an operator: pairs of a title and a text, the same titles for all operators
    of its kind."""
    name = "%s x%d" % (printable(operator.name), operator.parallelism)
    shown = _jobs(operator) if operator.batch_api else _batches(job, operator, growth)
    held = growth.per_second(job, operator.key, "inputHeldTimeMs")
    return [
        (NAME, name),
        ("rows/s", decimal(rows_per_second(job, operator, growth))),
        *shown,
        ("input held", _share_of_time(held, operator)),
        ("state", size(operator.state_bytes)),
    ]


def rows_per_second(job: Job, operator: Operator, growth: JobGrowth) -> Optional[float]:
    """By the rows that were counted, or Flink's mean of the last minute until that is known."""
    seen = growth.per_second(job, operator.key, "totalRecordsProcessed")
    return total(operator, "numRecordsOutPerSecond") if seen is None else seen


def total(operator: Operator, *names: str) -> Optional[float]:
    """The sum of metrics over all subtasks; None if none of them is there."""
    found = [operator.metrics[name].total for name in names if name in operator.metrics]
    return sum(found) if found else None


def failed_rows(operator: Operator) -> Optional[float]:
    """Rows that were given up, for whatever reason."""
    return total(operator, *(n for n in operator.metrics if n.startswith(metric_names.FAILED_ROWS)))


def limit_of_calls(operator: Operator) -> Optional[float]:
    """How many calls a backend takes at a time; None where nothing limits them. Of all that share
    the backend, so that a sum over subtasks would count it more than once."""
    limit = worst(operator, "concurrencyLimit")
    return None if limit is None or limit >= _UNLIMITED else limit


def size_bins(operator: Operator) -> Optional[List[Tuple[float, float]]]:
    """How large the batches are: the upper end of each bin, and its share of the batches."""
    return bins(operator.metrics, metric_names.BATCH_SIZE)


def worst(operator: Operator, name: str) -> Optional[float]:
    """The largest value of any subtask."""
    spread = operator.metrics.get(name)
    return spread.most if spread is not None else None


def typical(operator: Operator, name: str) -> Optional[float]:
    """The mean of the subtasks' values."""
    spread = operator.metrics.get(name)
    return spread.mean if spread is not None else None


def _batches(job: Job, operator: Operator, growth: JobGrowth) -> Cells:
    return [
        ("rows done", _done(job, operator, growth)),
        (
            "batch p50/max",
            "%s/%s"
            % (
                count(typical(operator, "batchSize_median")),
                count(worst(operator, "batchSize_max")),
            ),
        ),
        (SIZES, sparkline(size_bins(operator)) or UNKNOWN),
        ("in flight", _in_flight(operator)),
        (
            "call p50/p99",
            "%s/%s"
            % (
                milliseconds(typical(operator, "asyncCallDurationMs_median")),
                milliseconds(worst(operator, "asyncCallDurationMs_p99")),
            ),
        ),
        ("wait p99", milliseconds(worst(operator, "queueWaitMs_p99"))),
        ("to leave", count(total(operator, "pendingOrderedBatches"))),
        ("retries", count(total(operator, "batchRetryCount"))),
        ("timeouts", count(total(operator, "batchTimeoutCount"))),
        (
            "failed calls/rows",
            "%s/%s"
            % (
                count(total(operator, "asyncCallFailures")),
                count(failed_rows(operator)),
            ),
        ),
        ("workers up/ restarting/ restarts", _workers(operator)),
        ("breaker", breaker(operator.breakers)),
    ]


def _jobs(operator: Operator) -> Cells:
    return [
        ("jobs in flight", count(total(operator, "batch.jobs.inflight"))),
        (
            "submitted/done/failed",
            "/".join(
                count(total(operator, "batch.jobs." + name))
                for name in ("submitted", "completed", "failed")
            ),
        ),
        (
            "rows a job p50/max",
            "%s/%s"
            % (
                count(typical(operator, "batch.records_per_job_median")),
                count(worst(operator, "batch.records_per_job_max")),
            ),
        ),
        (
            "job p50/max",
            "%s/%s"
            % (
                milliseconds(typical(operator, "batch.job.latency_ms_median")),
                milliseconds(worst(operator, "batch.job.latency_ms_max")),
            ),
        ),
        ("retries", count(total(operator, "batch.retries"))),
        (
            "rows again/failed",
            "%s/%s"
            % (
                count(total(operator, "batch.rows.resubmitted")),
                count(total(operator, "batch.rows.failed")),
            ),
        ),
    ]


def _done(job: Job, operator: Operator, growth: JobGrowth) -> str:
    done = count(total(operator, "totalRecordsProcessed"))
    progress = operator.progress
    if progress is None:
        return done
    shown = "%s of %s, %.0f%%" % (
        count(progress.done),
        count(progress.rows),
        # Not 100% before the last row.
        100 * progress.done // progress.rows,
    )
    rate = rows_per_second(job, operator, growth)
    if job.ended or not rate or progress.done >= progress.rows:
        return shown
    return "%s, %s left" % (shown, duration((progress.rows - progress.done) / rate))


def _in_flight(operator: Operator) -> str:
    batches = count(total(operator, "inflightBatches"))
    capacity = total(operator, "capacity")
    if capacity is not None:
        batches += "/" + count(capacity)
    limit = limit_of_calls(operator)
    if limit is None:
        return batches
    calls = count(total(operator, "callsInFlight"))
    fullest = count(worst(operator, "backendCallsInFlight"))
    return "%s, calls %s, limit %s/%s" % (batches, calls, fullest, count(limit))


def _workers(operator: Operator) -> str:
    ready = total(operator, "workerReady")
    if ready is None:
        return UNKNOWN
    restarting = total(operator, "workerRestarting") or 0
    restarts = total(operator, "workerRestarts") or 0
    return "%s/%s/%s" % (count(ready), count(restarting), count(restarts))


def breaker(states: Sequence[str]) -> str:
    """The states of the subtasks' circuit breakers, each with its number if they differ."""
    if not states:
        return UNKNOWN
    counted = Counter(_state(state) for state in states)
    if len(counted) == 1:
        return next(iter(counted))
    return ", ".join("%d %s" % (number, state) for state, number in sorted(counted.items()))


def breakers_not_closed(states: Sequence[str]) -> Optional[float]:
    """None where there are no breakers."""
    return sum(_state(state) != "closed" for state in states) if states else None


def _state(value: str) -> str:
    if value.isdigit() and int(value) < len(_BREAKER_STATES):
        value = _BREAKER_STATES[int(value)]
    return printable(value).lower().replace("_", " ")


def _share_of_time(milliseconds_a_second: Optional[float], operator: Operator) -> str:
    if milliseconds_a_second is None:
        return UNKNOWN
    share = milliseconds_a_second / 10 / max(operator.parallelism, 1)
    return "%.0f%%" % min(share, 100.0)
