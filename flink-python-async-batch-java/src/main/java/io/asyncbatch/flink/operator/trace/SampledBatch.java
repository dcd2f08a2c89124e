package io.asyncbatch.flink.operator.trace;

import io.asyncbatch.flink.invoker.BatchOutcome;
import java.util.ArrayList;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.traces.Span;
import org.apache.flink.traces.SpanBuilder;
import org.apache.flink.util.clock.Clock;

/**
 * A batch with a span, which is reported when the batch has left or has failed. Holds times and
 * counts, never a row. Owned by the mailbox thread.
 *
 * <p>Durations are those of the monotonic clock. The time of day is asked for once, at the end, so
 * that a batch is not torn apart when it is set meanwhile.
 */
final class SampledBatch implements BatchTrace {

    /** What is known when the batch is dispatched; times by the monotonic clock. */
    record Facts(
            long batchId,
            int rows,
            long bytes,
            String ordering,
            long openedNanos,
            long closedNanos) {}

    /** One part of the batch's life. */
    private record Phase(
            String name, long beganNanos, int attempt, int rows, long permitWaitNanos) {}

    private record EndedPhase(Phase phase, long endedNanos, @Nullable String outcome) {

        long nanos() {
            return endedNanos - phase.beganNanos();
        }
    }

    private static final long NANOS_PER_MILLI = 1_000_000;
    private static final String CALL = "Call";
    private static final String TIMEOUT_HANDLER = "TimeoutHandler";
    private static final String TIMEOUT = "timeout";

    private final MetricGroup group;
    private final Clock clock;
    private final Facts facts;
    private final long dispatchedNanos;
    private final List<EndedPhase> phases = new ArrayList<>();

    @Nullable private Phase current;

    /** Whether {@link #current} gave early rows that have no result. */
    private boolean gaveFailures;

    /** Whether the call that ended last asked to be made once more, which it has not been yet. */
    private boolean repeats;

    /** Of calls that were not made in the end. */
    private long vainPermitWaitNanos;

    private int rowsWithoutResult;
    private int workersLost;
    private int retries;
    private boolean timedOut;
    private long doneNanos;
    private boolean reported;

    SampledBatch(MetricGroup group, Clock clock, Facts facts) {
        this.group = group;
        this.clock = clock;
        this.facts = facts;
        this.dispatchedNanos = clock.relativeTimeNanos();
    }

    @Override
    public void callBegan(int attempt, int rows, long permitWaitNanos) {
        // Halves, and what a worker's death took along, have later attempts too, and repeat
        // nothing.
        if (repeats) {
            retries++;
        }
        repeats = false;
        begin(new Phase(CALL, clock.relativeTimeNanos(), attempt, rows, permitWaitNanos));
    }

    @Override
    public void callNotMade(long permitWaitNanos) {
        repeats = false;
        vainPermitWaitNanos += permitWaitNanos;
    }

    @Override
    public void callEnded(@Nullable BatchOutcome<?> outcome) {
        if (outcome instanceof BatchOutcome.WorkerLost) {
            workersLost++;
        }
        repeats = outcome instanceof BatchOutcome.Retry;
        endCurrent(nameOf(outcome));
    }

    private String nameOf(@Nullable BatchOutcome<?> outcome) {
        if (outcome instanceof BatchOutcome.Success<?> success) {
            return nameOfSuccess(!success.failures().isEmpty());
        } else if (outcome instanceof BatchOutcome.Retry) {
            return "retry";
        } else if (outcome instanceof BatchOutcome.TooLarge) {
            return "too_large";
        } else if (outcome instanceof BatchOutcome.WorkerLost) {
            return "worker_lost";
        }
        return "failed";
    }

    private String nameOfSuccess(boolean hasFailures) {
        return hasFailures || gaveFailures ? "partial" : "success";
    }

    @Override
    public void rowsGiven(int failed) {
        gaveFailures |= failed > 0;
    }

    private void begin(Phase phase) {
        current = phase;
        gaveFailures = false;
    }

    private void endCurrent(String outcome) {
        if (current != null) {
            phases.add(new EndedPhase(current, clock.relativeTimeNanos(), outcome));
            current = null;
        }
    }

    @Override
    public void timeoutHandlerAsked(int rows) {
        timedOut = true;
        endCurrent(TIMEOUT);
        begin(new Phase(TIMEOUT_HANDLER, clock.relativeTimeNanos(), 0, rows, 0));
    }

    @Override
    public void done(int failedRows) {
        // A call may go on after it gave the last of its rows.
        endCurrent(nameOfSuccess(false));
        rowsWithoutResult = failedRows;
        doneNanos = clock.relativeTimeNanos();
    }

    @Override
    public void left() {
        long now = clock.relativeTimeNanos();
        phases.add(new EndedPhase(new Phase("Emit", doneNanos, 0, facts.rows(), 0), now, null));
        report(now, outcome());
    }

    private String outcome() {
        if (rowsWithoutResult == facts.rows()) {
            return "failed";
        } else if (timedOut) {
            return TIMEOUT;
        }
        return retries > 0 ? "retried" : "success";
    }

    @Override
    public void failed() {
        endCurrent("failed");
        report(clock.relativeTimeNanos(), "failed");
    }

    private void report(long endedNanos, String outcome) {
        if (reported) {
            return;
        }
        reported = true;
        long now = clock.absoluteTimeMillis();
        SpanBuilder batch =
                between("AsyncBatch", facts.openedNanos(), endedNanos, endedNanos, now)
                        .setAttribute("batchId", facts.batchId())
                        .setAttribute("rows", (long) facts.rows())
                        .setAttribute("bytes", facts.bytes())
                        .setAttribute("ordering", facts.ordering())
                        .setAttribute("outcome", outcome)
                        .setAttribute("rowsWithoutResult", (long) rowsWithoutResult)
                        .setAttribute("calls", count(CALL))
                        .setAttribute("retries", (long) retries)
                        .setAttribute("workersLost", (long) workersLost)
                        .setAttribute("formMs", millis(facts.closedNanos() - facts.openedNanos()))
                        .setAttribute("queueMs", millis(dispatchedNanos - facts.closedNanos()))
                        .setAttribute("permitWaitMs", millis(permitWaitNanos()))
                        .setAttribute("callMs", millis(nanosOf(CALL)));
        batch.addChild(between("Form", facts.openedNanos(), facts.closedNanos(), endedNanos, now));
        batch.addChild(between("Queue", facts.closedNanos(), dispatchedNanos, endedNanos, now));
        for (EndedPhase ended : phases) {
            Phase phase = ended.phase();
            SpanBuilder child =
                    between(phase.name(), phase.beganNanos(), ended.endedNanos(), endedNanos, now)
                            .setAttribute("rows", (long) phase.rows());
            if (ended.outcome() != null) {
                child.setAttribute("outcome", ended.outcome());
            }
            if (phase.name().equals(CALL)) {
                child.setAttribute("attempt", (long) phase.attempt());
                child.setAttribute("permitWaitMs", millis(phase.permitWaitNanos()));
            }
            batch.addChild(child);
        }
        group.addSpan(batch);
    }

    private long count(String name) {
        return phases.stream().filter(ended -> ended.phase().name().equals(name)).count();
    }

    private long nanosOf(String name) {
        return phases.stream()
                .filter(ended -> ended.phase().name().equals(name))
                .mapToLong(EndedPhase::nanos)
                .sum();
    }

    private long permitWaitNanos() {
        return vainPermitWaitNanos
                + phases.stream().mapToLong(ended -> ended.phase().permitWaitNanos()).sum();
    }

    /** With times of day, counted back from the end. */
    private static SpanBuilder between(
            String name, long beganNanos, long endedNanos, long lastNanos, long lastMillis) {
        return Span.builder(BatchTraces.class, name)
                .setStartTsMillis(lastMillis - (lastNanos - beganNanos) / NANOS_PER_MILLI)
                .setEndTsMillis(lastMillis - (lastNanos - endedNanos) / NANOS_PER_MILLI);
    }

    private static double millis(long nanos) {
        return (double) nanos / NANOS_PER_MILLI;
    }
}
