package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.HedgingOptions;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RetryBudgetOptions;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import org.apache.flink.streaming.api.TimeDomain;

/** Builds {@link BatchSettings} from what a test cares about. */
final class Settings {

    private OutputMode mode;
    private int batchSize = 2;
    private long batchTimeout = BatchSettings.NO_BATCH_TIMEOUT;
    private long timeout = 1_000;
    private int capacity = 4;
    private long maxBytes = Long.MAX_VALUE;
    private TimeDomain batchTimeDomain = TimeDomain.PROCESSING_TIME;
    private long latencyTarget = BatchSettings.NO_LATENCY_TARGET;
    private long maxBytesInFlight = Long.MAX_VALUE;
    private boolean drainAtCheckpoint;
    private OnFailure onFailure = OnFailure.FAIL;
    private boolean isolate;
    private int suspectAfter = FailureHandling.DEFAULT_SUSPECT_AFTER;

    private Concurrency concurrency;
    private String backend;
    private CircuitBreakerOptions circuitBreaker;
    private RetryBudgetOptions retryBudget;
    private HedgingOptions hedging;

    private Settings(OutputMode mode) {
        this.mode = mode;
    }

    static Settings of(OutputMode mode) {
        return new Settings(mode);
    }

    static Settings ordered() {
        return of(OutputMode.ORDERED);
    }

    static Settings unordered() {
        return of(OutputMode.UNORDERED);
    }

    Settings mode(OutputMode value) {
        mode = value;
        return this;
    }

    Settings batchSize(int rows) {
        batchSize = rows;
        return this;
    }

    Settings batchTimeout(long millis) {
        batchTimeout = millis;
        return this;
    }

    Settings timeout(long millis) {
        timeout = millis;
        return this;
    }

    Settings capacity(int batches) {
        capacity = batches;
        return this;
    }

    Settings maxBytes(long bytes) {
        maxBytes = bytes;
        return this;
    }

    Settings eventTime() {
        batchTimeDomain = TimeDomain.EVENT_TIME;
        return this;
    }

    Settings latencyTarget(long millis) {
        latencyTarget = millis;
        return this;
    }

    Settings maxBytesInFlight(long bytes) {
        maxBytesInFlight = bytes;
        return this;
    }

    Settings drainAtCheckpoint() {
        drainAtCheckpoint = true;
        return this;
    }

    Settings onFailure(OnFailure value) {
        onFailure = value;
        return this;
    }

    Settings isolating() {
        isolate = true;
        return this;
    }

    Settings suspectAfter(int deaths) {
        suspectAfter = deaths;
        return this;
    }

    Settings concurrency(Concurrency value) {
        concurrency = value;
        return this;
    }

    Settings backend(String name) {
        backend = name;
        return this;
    }

    Settings circuitBreaker(CircuitBreakerOptions value) {
        circuitBreaker = value;
        return this;
    }

    Settings retryBudget(RetryBudgetOptions value) {
        retryBudget = value;
        return this;
    }

    Settings hedging(HedgingOptions value) {
        hedging = value;
        return this;
    }

    BatchSettings build() {
        return new BatchSettings(
                mode,
                batchSize,
                batchTimeout,
                timeout,
                capacity,
                maxBytes,
                batchTimeDomain,
                latencyTarget,
                maxBytesInFlight,
                drainAtCheckpoint,
                new FailureHandling(onFailure, isolate, suspectAfter),
                new OverloadSettings(concurrency, backend, circuitBreaker, retryBudget, hedging));
    }
}
