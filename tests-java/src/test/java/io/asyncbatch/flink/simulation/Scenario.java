package io.asyncbatch.flink.simulation;

import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.HedgingOptions;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RetryBudgetOptions;
import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.FailureHandling;
import io.asyncbatch.flink.operator.OverloadSettings;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.streaming.api.TimeDomain;

/**
 * What kind of schedule this is: the settings of the operator, and how often what goes wrong. Most
 * faults never happen in most schedules, so that those that do meet in all combinations and none
 * hides what only others lead to. Immutable but for the settings, which may change at a restart.
 */
final class Scenario {

    static final long MILLI = 1_000;
    static final long SECOND = 1_000 * MILLI;

    /** How a call may end. */
    enum CallEnd {
        SUCCESS,
        FAILURE,
        ROW_FAILURES,
        SHORT_RESULT,
        NO_RESULT,
        TOO_LARGE,
        RETRY,
        RETRY_OF_A_RESULT,
        OVERLOADED,
        OVERLOADED_UNTIL,
        SILENCE,
        FOREIGN_ROW,
        BROKEN,
        THROWN,
        WORKER_DIES
    }

    /** What a few rows do to each call that they are part of, however often it is repeated. */
    enum Poison {
        NONE,
        ROW_FAILS,
        CALL_FAILS,
        TOO_LARGE,
        KILLS_WORKER
    }

    private static final int NEVER = 0;

    final int rows;
    final int subtasks;
    final boolean contained;
    final boolean restartable;
    final boolean changesSettings;
    final Poison poison;
    final int poisonedOneIn;
    final RowGrouping<Integer> grouping;
    @Nullable final String backend;
    final int faults;
    final long callMicros;
    final int slowCalls;
    final int callsAtOnce;
    final int earlyRows;
    final int deferred;
    final int lateAnswers;
    final int handlerFaults;
    final int eventsFirst;
    final long inputGapMicros;
    final int gaps;
    final int fences;
    final boolean silentBeforeTheEnd;
    final int checkpoints;
    final int crashes;
    final int kills;
    final int downstreamFailures;
    final int rescaled;
    final long paceMicros;
    final long restartMicros;
    private final Map<CallEnd, Integer> weights = new EnumMap<>(CallEnd.class);
    private final boolean hasBuckets;
    private final Choices choices;
    private BatchSettings settings;

    Scenario(Choices choices, String name) {
        this.choices = choices;
        rows = 1 + choices.below(choices.oneOf(40, 8, 90));
        subtasks = choices.oneOf(1, 1, 1, 2, 3);
        contained = choices.chance(650);
        restartable = choices.chance(700);
        changesSettings = choices.chance(300);
        poison = contained ? choices.oneOf(Poison.NONE, Poison.NONE, poison()) : Poison.NONE;
        poisonedOneIn = 4 + choices.below(20);
        int kind = choices.below(8);
        hasBuckets = kind >= 6;
        grouping = grouping(kind);
        backend = choices.chance(subtasks > 1 ? 700 : 200) ? name : null;
        faults = choices.below(choices.oneOf(10, 1, 60));
        callMicros = choices.oneOf(2 * MILLI, 200L, 20 * MILLI, 90 * MILLI);
        slowCalls = rate(150);
        callsAtOnce = rate(300);
        earlyRows = rate(600);
        deferred = rate(500);
        lateAnswers = rate(800);
        handlerFaults = rate(400);
        eventsFirst = choices.oneOf(0, 30, 300, 700);
        inputGapMicros = choices.oneOf(MILLI, 0L, 20 * MILLI, 400 * MILLI);
        gaps = choices.oneOf(0, 100, 500);
        fences = choices.oneOf(0, 100, 300);
        silentBeforeTheEnd = choices.chance(250);
        checkpoints = choices.below(6);
        crashes = choices.below(3);
        kills = choices.oneOf(0, 0, 1, 4);
        downstreamFailures = choices.oneOf(0, 0, 0, 0, 4);
        rescaled = rate(700);
        paceMicros = choices.oneOf(5 * MILLI, 40 * MILLI, 300 * MILLI);
        restartMicros = choices.oneOf(MILLI, 50 * MILLI, 3 * SECOND);
        for (CallEnd end : CallEnd.values()) {
            weights.put(end, end == CallEnd.SUCCESS ? 100 : rateOf(end));
        }
        settings = drawSettings();
    }

    /** Where no worker is started again, nothing could go on with one that is always killed. */
    private Poison poison() {
        Poison drawn = choices.oneOf(Poison.values());
        return drawn == Poison.KILLS_WORKER && !restartable ? Poison.CALL_FAILS : drawn;
    }

    /** Often never; else up to so many in a thousand. */
    private int rate(int most) {
        return choices.chance(400) ? 1 + choices.below(most) : NEVER;
    }

    /** What ends the task whatever the settings are is rare, or nothing else would be seen. */
    private int rateOf(CallEnd end) {
        boolean fatal =
                end == CallEnd.BROKEN || end == CallEnd.THROWN || end == CallEnd.FOREIGN_ROW;
        return choices.chance(fatal ? 40 : 250) ? 1 + choices.below(fatal ? 4 : 60) : NEVER;
    }

    private static RowGrouping<Integer> grouping(int kind) {
        RowGrouping.Builder<Integer> builder = RowGrouping.builder();
        return switch (kind) {
            case 3 -> builder.weigh(Rows::weightOf, 12).build();
            case 4 -> builder.coalesceKey(Rows::coalesceKeyOf).build();
            case 5 -> builder.weigh(Rows::weightOf, 12).coalesceKey(Rows::coalesceKeyOf).build();
            case 6 -> builder.weigh(Rows::weightOf, 12).lengthBuckets(2, 5).build();
            case 7 ->
                    builder.weigh(Rows::weightOf)
                            .lengthBuckets(2, 5)
                            .coalesceKey(Rows::coalesceKeyOf)
                            .build();
            default -> RowGrouping.none();
        };
    }

    // --------------------------------------------------------------- settings

    BatchSettings settings() {
        return settings;
    }

    boolean coalesces() {
        return grouping.getCoalesceKey() != null;
    }

    /** The job is started again, perhaps with other settings, which is the answer. */
    boolean restarted() {
        boolean changes = changesSettings && choices.chance(500);
        if (changes) {
            settings = drawSettings();
        }
        return changes;
    }

    private BatchSettings drawSettings() {
        OutputMode mode = hasBuckets ? OutputMode.UNORDERED : choices.oneOf(OutputMode.values());
        int capacity = 1 + choices.below(4);
        long latencyTarget = choices.chance(150) ? 50 : BatchSettings.NO_LATENCY_TARGET;
        long batchTimeout =
                hasBuckets && latencyTarget == 0
                        ? choices.oneOf(5L, 20L, 200L)
                        : choices.oneOf(BatchSettings.NO_BATCH_TIMEOUT, 5L, 20L, 200L);
        TimeDomain domain =
                batchTimeout > 0 && choices.chance(150)
                        ? TimeDomain.EVENT_TIME
                        : TimeDomain.PROCESSING_TIME;
        long maxBatchBytes = choices.oneOf(Long.MAX_VALUE, 12L, 6L);
        long maxBytesInFlight =
                maxBatchBytes < Long.MAX_VALUE && choices.chance(500) ? 20 : Long.MAX_VALUE;
        OnFailure onFailure =
                contained ? choices.oneOf(OnFailure.DEAD_LETTER, OnFailure.SKIP) : OnFailure.FAIL;
        return new BatchSettings(
                mode,
                1 + choices.below(6),
                batchTimeout,
                choices.oneOf(5_000L, 60L, 300L, 60_000L),
                capacity,
                maxBatchBytes,
                domain,
                latencyTarget,
                maxBytesInFlight,
                mode == OutputMode.ORDERED && choices.chance(120),
                new FailureHandling(onFailure, choices.chance(300), choices.oneOf(2, 1, 3)),
                drawOverload(capacity));
    }

    private OverloadSettings drawOverload(int capacity) {
        Concurrency concurrency = choices.chance(450) ? drawConcurrency(capacity) : null;
        CircuitBreakerOptions breaker = choices.chance(300) ? drawBreaker() : null;
        RetryBudgetOptions budget =
                choices.chance(300) ? new RetryBudgetOptions(0.1, choices.oneOf(3, 1)) : null;
        boolean none = concurrency == null && breaker == null && budget == null;
        boolean mayHedge =
                budget != null
                        && (concurrency == null
                                || concurrency.getMost().orElse(backend == null ? capacity : 2)
                                        > 1);
        HedgingOptions hedging =
                mayHedge && choices.chance(600)
                        ? new HedgingOptions(0.5, Duration.ofMillis(choices.oneOf(1, 10)), 1)
                        : null;
        return new OverloadSettings(concurrency, none ? null : backend, breaker, budget, hedging);
    }

    private Concurrency drawConcurrency(int capacity) {
        int most = backend == null ? Math.min(2, capacity) : 2;
        return choices.oneOf(
                Concurrency.fixed(1),
                Concurrency.fixed(most),
                Concurrency.adaptive(),
                Concurrency.adaptive(1, most));
    }

    private CircuitBreakerOptions drawBreaker() {
        WhenOpen whenOpen =
                contained
                        ? choices.oneOf(WhenOpen.BACK_PRESSURE, WhenOpen.FAIL_FAST)
                        : choices.oneOf(
                                WhenOpen.BACK_PRESSURE, WhenOpen.BACK_PRESSURE, WhenOpen.FAIL_JOB);
        return CircuitBreakerOptions.builder()
                .window(4, Duration.ofSeconds(30), 1 + choices.below(3))
                .failureRate(choices.oneOf(1.0, 0.5))
                .pause(Duration.ofMillis(choices.oneOf(100, 900)), Duration.ofMillis(2_000))
                .probes(1 + choices.below(2))
                .whenOpen(whenOpen)
                .build();
    }

    // ----------------------------------------------------------------- faults

    /** How a call ends that may end in any way. */
    CallEnd drawEnd() {
        int sum = weights.values().stream().mapToInt(Integer::intValue).sum();
        int drawn = choices.below(sum);
        for (Map.Entry<CallEnd, Integer> weight : weights.entrySet()) {
            drawn -= weight.getValue();
            if (drawn < 0) {
                return weight.getKey();
            }
        }
        throw new IllegalStateException("weights do not add up");
    }

    boolean isPoisoned(int row) {
        return poison != Poison.NONE && Rows.numberOf(row) % poisonedOneIn == 3;
    }

    @Override
    public String toString() {
        return "rows="
                + rows
                + " subtasks="
                + subtasks
                + " backend="
                + (backend != null)
                + " restartable="
                + restartable
                + " poison="
                + poison
                + " grouping=[coalesces="
                + coalesces()
                + " buckets="
                + hasBuckets
                + " weight<="
                + grouping.getMaxBatchWeight()
                + "] weights="
                + weights
                + " "
                + settings;
    }
}
