package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/**
 * Chooses batch size and concurrency together, so that as many rows as possible pass while calls
 * keep a latency target. Owned by one thread at a time.
 *
 * <p>A call is expected to take {@code a + b * rows} at the stretch that calls have now, and a
 * little more: two standard deviations. If a full batch does not fit the target at the limit, the
 * queue goes first, since it costs latency and brings nothing: concurrency falls to the knee. Only
 * then do batches become smaller, and no smaller than {@code a / b} rows: below that a call does
 * more for itself than for its rows, and a target that cannot be kept anyway would cost most of the
 * throughput.
 *
 * <p>The model may be wrong. So calls that miss the target push a ceiling down, below which the
 * model has its say, and as long as calls keep it the ceiling rises again.
 */
@Internal
public final class BatchPlanner {

    private static final int MEMORY_CALLS = 200;
    private static final double DEVIATIONS = 2;

    /** Share of calls that may miss the target: one in twenty. */
    private static final double MISSES_ALLOWED = 0.05;

    private static final double CEILING_FALL = 0.8;
    private static final double CEILING_RISE = 1.02;
    private static final double MISS_GAIN = 1.0 / 32;
    private static final double IN_FLIGHT_GAIN = 1.0 / 16;

    private final int batchSize;
    private final double targetNanos;
    private final BatchCostModel cost = new BatchCostModel(MEMORY_CALLS);

    private double ceiling;
    private double misses;
    private double inFlight;
    private boolean fell;
    private long lastFallNanos;

    /**
     * @param batchSize most rows of a batch, at least 1
     * @param targetNanos what a call may take, at least 1
     */
    public BatchPlanner(int batchSize, long targetNanos) {
        if (batchSize < 1) {
            throw new IllegalArgumentException("batch_size must be positive, got " + batchSize);
        }
        if (targetNanos < 1) {
            throw new IllegalArgumentException(
                    "latency_target must be positive, got " + targetNanos + " ns");
        }
        this.batchSize = batchSize;
        this.targetNanos = targetNanos;
        this.ceiling = batchSize;
    }

    /**
     * A call ended. Only successes tell what calls take; one that was dropped missed the target.
     */
    public void onCallEnded(EndedCall call) {
        if (call.result() == CallResult.IGNORED) {
            return;
        }
        boolean missed = call.result() == CallResult.DROPPED || isLate(call.nanos());
        if (call.result() == CallResult.SUCCESS) {
            cost.observe(call.rows(), call.nanos());
            inFlight += IN_FLIGHT_GAIN * (call.inFlight() - inFlight);
        }
        misses += MISS_GAIN * ((missed ? 1 : 0) - misses);
        if (misses > MISSES_ALLOWED && missed && !beganBeforeLastFall(call)) {
            ceiling = Math.max(1, Math.min(ceiling, call.rows()) * CEILING_FALL);
            fell = true;
            lastFallNanos = call.endedNanos();
        } else if (misses < MISSES_ALLOWED && call.rows() >= (int) ceiling) {
            ceiling = Math.min(batchSize, ceiling * CEILING_RISE);
        }
    }

    /**
     * What to do next.
     *
     * @param limit calls that may be in flight, at least 1
     * @param knee calls that the backend works on at a time, as {@link ConcurrencyLimit#knee} tells
     */
    public BatchPlan plan(int limit, double knee) {
        if (!cost.isReady()) {
            return new BatchPlan(batchSize, limit, true);
        }
        int most = Math.max(1, (int) ceiling);
        if (most == batchSize && fits(batchSize, 1)) {
            return new BatchPlan(batchSize, limit, true);
        }
        int concurrency = Math.max(1, Math.min(limit, (int) Math.ceil(knee)));
        double relief = Math.min(1, concurrency / Math.max(1, inFlight));
        int rows = Math.max(leastWorthACall(), Math.min(most, mostThatFit(relief)));
        return new BatchPlan(rows, concurrency, fits(rows, relief));
    }

    /** Most rows that are expected to keep the target, up to the batch size; 0 if none. */
    private int mostThatFit(double relief) {
        int low = 0;
        int high = batchSize;
        while (low < high) {
            int middle = (low + high + 1) >>> 1;
            if (fits(middle, relief)) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        return low;
    }

    /**
     * @param relief what calls will take of what they took, with fewer of them in flight than then
     */
    private boolean fits(int rows, double relief) {
        return relief * (cost.expectedNanos(rows) + DEVIATIONS * cost.deviationNanos())
                <= targetNanos;
    }

    private int leastWorthACall() {
        double slope = cost.slopeNanos();
        return slope <= 0 ? 1 : (int) Math.min(batchSize, Math.ceil(cost.constantNanos() / slope));
    }

    /** Whether a call that takes so long misses the target. */
    boolean isLate(long nanos) {
        return nanos > targetNanos;
    }

    private boolean beganBeforeLastFall(EndedCall call) {
        return fell && call.startedNanos() - lastFallNanos < 0;
    }
}
