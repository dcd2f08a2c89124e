package io.asyncbatch.flink.benchmark.overload;

import io.asyncbatch.flink.benchmark.overload.SimulatedBackend.Answer;
import io.asyncbatch.flink.benchmark.overload.SimulatedBackend.Call;
import io.asyncbatch.flink.limit.BackendControl;
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

    private int rowsWaiting;
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

    SimulatedClient(
            VirtualTime time,
            SimulatedBackend backend,
            Trace trace,
            double bestRowsPerSecond,
            BackendControl control,
            int capacity,
            Recorder recorder,
            long seed) {
        this.time = time;
        this.backend = backend;
        this.trace = trace;
        this.bestRowsPerSecond = bestRowsPerSecond;
        this.random = new Random(seed);
        this.caller = control.join(() -> time.after(0, this::pump));
        this.capacity = capacity;
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
        recorder.called(time.seconds());
        boolean[] ended = {false};
        Call call =
                backend.call(
                        batch.weight,
                        answer -> {
                            ended[0] = true;
                            onAnswer(batch, permit, answer);
                        });
        time.after(
                CALL_TIMEOUT_NANOS,
                () -> {
                    if (!ended[0]) {
                        call.cancel();
                        onFailure(batch, permit);
                    }
                });
    }

    private void onAnswer(Batch batch, Permit permit, Answer answer) {
        if (answer == Answer.DONE) {
            held.remove(batch);
            recorder.done(time, batch.rows, time.nanos() - batch.firstCalledNanos);
            permit.succeed(time.nanos());
            pump();
        } else {
            onFailure(batch, permit);
        }
    }

    private void onFailure(Batch batch, Permit permit) {
        recorder.failed(time.seconds());
        double bound =
                Math.min(
                        LONGEST_BACKOFF_SECONDS,
                        FIRST_BACKOFF_SECONDS * Math.pow(2, batch.attempts - 1));
        long delay = VirtualTime.nanosOf(random.nextDouble() * bound);
        batch.dueNanos = time.nanos() + delay;
        retries.add(batch);
        time.after(delay, this::pump);
        permit.drop(time.nanos(), 0);
        pump();
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
