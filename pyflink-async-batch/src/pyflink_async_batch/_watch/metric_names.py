"""The metrics that are looked at, by their names in docs/metrics.md."""

from pyflink_async_batch._watch.size_histogram import SUFFIXES

# An operator that registers one of these is ours.
BATCHES = "totalBatchesProcessed"
JOBS = "batch.jobs.submitted"

# Of this one the whole spread is shown.
BATCH_SIZE = "batchSize"
_HISTOGRAMS = ("asyncCallDurationMs", "queueWaitMs", "batchEndToEndLatencyMs")
_QUANTILES = ("median", "p90", "p99", "max")

# All metrics that begin so are rows that were given up, each for another reason.
FAILED_ROWS = "rowsFailedBy"

OF_BATCHES = (
    BATCHES,
    "totalRecordsProcessed",
    "capacity",
    "inflightBatches",
    "pendingOrderedBatches",
    "inputHeldTimeMs",
    "batchRetryCount",
    "batchTimeoutCount",
    "asyncCallFailures",
    "callsInFlight",
    "backendCallsInFlight",
    "concurrencyLimit",
    "workerReady",
    "workerRestarting",
    "workerRestarts",
    # Flink's own, of every operator.
    "numRecordsOutPerSecond",
    *("%s_%s" % (BATCH_SIZE, suffix) for suffix in SUFFIXES),
    *("%s_%s" % (name, quantile) for name in _HISTOGRAMS for quantile in _QUANTILES),
)

OF_JOBS = (
    JOBS,
    "batch.jobs.completed",
    "batch.jobs.failed",
    "batch.jobs.inflight",
    "batch.retries",
    "batch.rows.resubmitted",
    "batch.rows.failed",
    "inputHeldTimeMs",
    "numRecordsOutPerSecond",
    "batch.job.latency_ms_median",
    "batch.job.latency_ms_max",
    "batch.records_per_job_median",
    "batch.records_per_job_max",
)

# Asked for subtask by subtask: a sum of states says nothing.
BREAKER = "circuitBreakerState"
