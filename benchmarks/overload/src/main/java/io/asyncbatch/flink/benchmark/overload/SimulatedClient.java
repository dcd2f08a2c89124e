package io.asyncbatch.flink.benchmark.overload;

import io.asyncbatch.flink.benchmark.overload.SimulatedBackend.Answer;
import io.asyncbatch.flink.benchmark.overload.SimulatedBackend.Call;
import io.asyncbatch.flink.limit.BackendControl;
import io.asyncbatch.flink.limit.HedgeDelay;
import io.asyncbatch.flink.limit.Permit;
import java.util.Comparator;
import java.util.HashSet;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.Set;

/**
 * An operator as far as its backend sees it: it forms batches, calls when it may, gives up on a
 * call after a while, and repeats what failed, with full jitter, as long as it takes.
 */
final class SimulatedClient {

    private static final double FLUSH_SECONDS = 0.020;
    private static final long CALL_TIMEOUT_NANOS = VirtualTime.nanosOf(5);
    private static final double FIRST_BACKOFF_SECONDS = 0.1;
    private static final double LONGEST_BACKOFF_SECONDS = 5;
    private static final int BYTES_PER_WEIGHT = 1_000;

    private static final double HEDGED_PERCENTILE = 0.95;
    private static final long LEAST_HEDGE_DELAY_NANOS = VirtualTime.nanosOf(0.010);
    private static final int LEAST_CALLS = 20;

    /** Events of which Poisson's distribution is hardly another than the normal one. */
    private static final double ENOUGH_FOR_A_BELL = 10;

    private final VirtualTime time;
    private final SimulatedBackend backend;
    private final Trace trace;
    private final double bestRowsPerSecond;
    private final Random random;
    private final BackendControl.Caller caller;
    private final int capacity;
    private final Recorder recorder;
    private final PriorityQueue<Batch> retries =
            new PriorityQueue<>(Comparator.comparingLong(batch -> batch.dueNanos));

    private final Set<Batch> held = new HashSet<>();

    /** Null where no call is hedged. */
    private final HedgeDelay delay;

    private int rowsWaiting;
    private long hedges;
    private long pumpAtNanos = Long.MAX_VALUE;

    private static final class Batch {
        private final int rows;
        private final double weight;
        private final long firstCalledNanos;
        private int attempts;
        private long dueNanos;

        private Batch(int rows, double weight, long firstCalledNanos) {
            this.rows = rows;
            this.weight = weight;
            this.firstCalledNanos = firstCalledNanos;
        }

        private long bytes() {
            return Math.round(weight * BYTES_PER_WEIGHT);
        }
    }

    /** One call for a batch; there may be another one at the same time. */
    private static final class Attempt {
        private final Batch batch;
        private final Permit permit;
        private final long beganNanos;
        private Call call;
        private boolean ended;
        private Attempt other;

        private Attempt(Batch batch, Permit permit, long beganNanos) {
            this.batch = batch;
            this.permit = permit;
            this.beganNanos = beganNanos;
        }

        private boolean otherGoesOn() {
            return other != null && !other.ended;
        }
    }

    SimulatedClient(
            VirtualTime time,
            SimulatedBackend backend,
            Trace trace,
            double bestRowsPerSecond,
            BackendControl control,
            Policy policy,
            Recorder recorder,
            long seed) {
        this.time = time;
        this.backend = backend;
        this.trace = trace;
        this.bestRowsPerSecond = bestRowsPerSecond;
        this.random = new Random(seed);
        this.caller = control.join(() -> time.after(0, this::pump));
        this.capacity = policy.capacity();
        this.delay =
                policy.hedges()
                        ? new HedgeDelay(HEDGED_PERCENTILE, LEAST_HEDGE_DELAY_NANOS, LEAST_CALLS)
                        : null;
        this.recorder = recorder;
    }

    /** Begins now and goes on for ever. */
    void begin() {
        tick();
    }

    private void tick() {
        double load = trace.phaseAt(time.seconds()).load();
        if (load != Trace.ALL_IT_TAKES) {
            rowsWaiting += poisson(load * bestRowsPerSecond * FLUSH_SECONDS);
        }
        pump();
        time.after(VirtualTime.nanosOf(FLUSH_SECONDS), this::tick);
    }

    private int poisson(double mean) {
        if (mean > ENOUGH_FOR_A_BELL) {
            return (int) Math.max(0, Math.round(mean + Math.sqrt(mean) * random.nextGaussian()));
        }
        int events = -1;
        for (double left = 1, end = Math.exp(-mean); left > end; events++) {
            left *= random.nextDouble();
        }
        return events;
    }

    private void pump() {
        pumpAtNanos = Long.MAX_VALUE;
        boolean called = true;
        while (called) {
            called = callRetry() || callNext();
        }
        if (!hasDueRetry() && !hasNext()) {
            caller.standDown();
        }
    }

    private boolean hasDueRetry() {
        return !retries.isEmpty() && retries.peek().dueNanos <= time.nanos();
    }

    private boolean callRetry() {
        if (!hasDueRetry()) {
            return false;
        }
        Batch batch = retries.peek();
        Permit permit = caller.tryCall(batch.attempts + 1, batch.rows, batch.bytes(), time.nanos());
        if (permit == null) {
            pumpAfter(caller.nanosUntilTry(batch.attempts + 1, time.nanos()));
            return false;
        }
        retries.poll();
        call(batch, permit);
        return true;
    }

    private boolean hasNext() {
        return held.size() < capacity && rowsOfNext() > 0;
    }

    private int rowsOfNext() {
        return trace.phaseAt(time.seconds()).load() == Trace.ALL_IT_TAKES
                ? BackendModel.BATCH_ROWS
                : Math.min(BackendModel.BATCH_ROWS, rowsWaiting);
    }

    private boolean callNext() {
        if (!hasNext()) {
            return false;
        }
        int rows = rowsOfNext();
        double weight = rows * trace.phaseAt(time.seconds()).rowWeight();
        Batch batch = new Batch(rows, weight, time.nanos());
        Permit permit = caller.tryCall(1, rows, batch.bytes(), time.nanos());
        if (permit == null) {
            pumpAfter(caller.nanosUntilTry(1, time.nanos()));
            return false;
        }
        rowsWaiting = Math.max(0, rowsWaiting - rows);
        held.add(batch);
        call(batch, permit);
        return true;
    }

    private void pumpAfter(long nanos) {
        if (nanos == BackendControl.UNTIL_WOKEN) {
            return;
        }
        long at = time.nanos() + Math.max(1, nanos);
        if (at < pumpAtNanos) {
            pumpAtNanos = at;
            time.after(at - time.nanos(), this::pump);
        }
    }

    private void call(Batch batch, Permit permit) {
        batch.attempts++;
        Attempt first = start(batch, permit);
        if (delay == null || batch.attempts > 1) {
            return;
        }
        long nanos = delay.nanos(batch.rows);
        if (nanos < CALL_TIMEOUT_NANOS) {
            time.after(nanos, () -> hedge(first));
        }
    }

    private void hedge(Attempt first) {
        if (first.ended) {
            return;
        }
        Batch batch = first.batch;
        Permit permit = caller.tryHedge(batch.rows, batch.bytes(), time.nanos());
        if (permit != null) {
            hedges++;
            first.other = start(batch, permit);
            first.other.other = first;
        }
    }

    private Attempt start(Batch batch, Permit permit) {
        recorder.called(time.seconds());
        Attempt attempt = new Attempt(batch, permit, time.nanos());
        attempt.call = backend.call(batch.weight, answer -> onAnswer(attempt, answer));
        time.after(
                CALL_TIMEOUT_NANOS,
                () -> {
                    if (!attempt.ended) {
                        attempt.call.cancel();
                        onFailure(attempt);
                    }
                });
        return attempt;
    }

    private void onAnswer(Attempt attempt, Answer answer) {
        if (answer != Answer.DONE) {
            onFailure(attempt);
            return;
        }
        attempt.ended = true;
        Batch batch = attempt.batch;
        held.remove(batch);
        recorder.done(time, batch.rows, time.nanos() - batch.firstCalledNanos);
        learn(attempt);
        if (attempt.otherGoesOn()) {
            attempt.other.ended = true;
            attempt.other.call.cancel();
            attempt.other.permit.ignore(time.nanos());
        }
        attempt.permit.succeed(time.nanos());
        pump();
    }

    /** From first calls alone, as the operator does. */
    private void learn(Attempt done) {
        if (delay == null || done.batch.attempts > 1) {
            return;
        }
        boolean isSecond = done.other != null && done.other.beganNanos < done.beganNanos;
        if (!isSecond) {
            delay.observe(done.batch.rows, time.nanos() - done.beganNanos);
        } else if (done.otherGoesOn()) {
            delay.observeGivenUp(done.batch.rows, time.nanos() - done.other.beganNanos);
        }
    }

    private void onFailure(Attempt attempt) {
        attempt.ended = true;
        recorder.failed(time.seconds());
        if (!attempt.otherGoesOn()) {
            retryLater(attempt.batch);
        }
        attempt.permit.drop(time.nanos(), 0);
        pump();
    }

    private void retryLater(Batch batch) {
        double bound =
                Math.min(
                        LONGEST_BACKOFF_SECONDS,
                        FIRST_BACKOFF_SECONDS * Math.pow(2, batch.attempts - 1));
        long wait = VirtualTime.nanosOf(random.nextDouble() * bound);
        batch.dueNanos = time.nanos() + wait;
        retries.add(batch);
        time.after(wait, this::pump);
    }

    /** Calls so far beside one that was under way for the same rows. */
    long hedges() {
        return hedges;
    }

    /** How long ago the first call of the oldest batch was that has no results yet. */
    double oldestHeldSeconds() {
        long oldest = time.nanos();
        for (Batch batch : held) {
            oldest = Math.min(oldest, batch.firstCalledNanos);
        }
        return (time.nanos() - oldest) / VirtualTime.NANOS_PER_SECOND;
    }
}
