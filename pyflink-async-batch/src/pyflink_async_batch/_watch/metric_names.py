"""The metrics that are looked at, by their names in docs/metrics.md."""

# An operator that registers one of these is ours.
BATCHES = "totalBatchesProcessed"
JOBS = "batch.jobs.submitted"

_HISTOGRAMS = ("batchSize", "asyncCallDurationMs", "queueWaitMs", "batchEndToEndLatencyMs")
_QUANTILES = ("median", "p90", "p99", "max")

# All metrics that begin so are rows that were given up, each for another reason.
FAILED_ROWS = "rowsFailedBy"

OF_BATCHES = (
    BATCHES,
    "totalRecordsProcessed",
    "inflightBatches",
    "pendingOrderedBatches",
    "inputHeldTimeMs",
    "batchRetryCount",
    "batchTimeoutCount",
    "asyncCallFailures",
    "callsInFlight",
    "concurrencyLimit",
    "workerReady",
    "workerRestarts",
    # Flink's own, of every operator.
    "numRecordsOutPerSecond",
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
