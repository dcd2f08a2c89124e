package io.asyncbatch.flink.metrics;

import java.util.function.IntSupplier;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.MetricGroup;

/**
 * What is measured where a backend's limits are watched, listed in {@code docs/metrics.md}. Updated
 * by the mailbox thread alone; Flink's reporters read them from theirs.
 */
@Internal
public final class OverloadMetrics {

    private final Counter callsRefused;
    private final Counter callsDropped;
    private final Counter retriesHeldByBudget;
    private final Counter circuitBreakerOpened;
    private final Counter hedgesSent;
    private final Counter hedgesWon;
    private final Counter hedgesTookOver;
    private final Counter hedgesFailed;
    private final Counter hedgesDropped;
    private final Counter hedgesRefused;

    /**
     * All suppliers are read by the reporters' threads.
     *
     * @param callsInFlight of this subtask
     * @param backendCallsInFlight of all that share the backend
     * @param limit calls that may be in flight, of all that share the backend
     * @param state of the circuit breaker: 0 closed, 1 open, 2 half open
     * @param plannedBatchSize most rows of a batch as planned
     */
    public OverloadMetrics(
            MetricGroup group,
            IntSupplier callsInFlight,
            IntSupplier backendCallsInFlight,
            IntSupplier limit,
            IntSupplier state,
            IntSupplier plannedBatchSize) {
        gauge(group, "callsInFlight", callsInFlight);
        gauge(group, "backendCallsInFlight", backendCallsInFlight);
        gauge(group, "concurrencyLimit", limit);
        gauge(group, "circuitBreakerState", state);
        gauge(group, "plannedBatchSize", plannedBatchSize);
        callsRefused = group.counter("callsRefused");
        callsDropped = group.counter("callsDropped");
        retriesHeldByBudget = group.counter("retriesHeldByBudget");
        circuitBreakerOpened = group.counter("circuitBreakerOpened");
        hedgesSent = group.counter("hedgesSent");
        hedgesWon = group.counter("hedgesWon");
        hedgesTookOver = group.counter("hedgesTookOver");
        hedgesFailed = group.counter("hedgesFailed");
        hedgesDropped = group.counter("hedgesDropped");
        hedgesRefused = group.counter("hedgesRefused");
    }

    private static void gauge(MetricGroup group, String name, IntSupplier value) {
        Gauge<Integer> gauge = value::getAsInt;
        group.gauge(name, gauge);
    }

    /** A call was ready to begin and had to wait, or failed. */
    public void callRefused() {
        callsRefused.inc();
    }

    /** A call ended in a way that says that the backend is overloaded or away. */
    public void callDropped() {
        callsDropped.inc();
    }

    /** A call that is to be repeated has to wait for the budget. */
    public void retryHeld() {
        retriesHeldByBudget.inc();
    }

    public void circuitBreakerOpened() {
        circuitBreakerOpened.inc();
    }

    /** A second call for rows was made while their first one went on. */
    public void hedgeSent() {
        hedgesSent.inc();
    }

    /** The second call had results before the first one. */
    public void hedgeWon() {
        hedgesWon.inc();
    }

    /** The first call failed before the second one, which goes on in its place. */
    public void hedgeTookOver() {
        hedgesTookOver.inc();
    }

    /** The second call failed before the first one, which goes on. */
    public void hedgeFailed() {
        hedgesFailed.inc();
    }

    /** The second call is given up, as the first one, the deadline or the task's end was faster. */
    public void hedgeDropped() {
        hedgesDropped.inc();
    }

    /** It was time for a second call, and there was no permit or no budget for it. */
    public void hedgeRefused() {
        hedgesRefused.inc();
    }
}
