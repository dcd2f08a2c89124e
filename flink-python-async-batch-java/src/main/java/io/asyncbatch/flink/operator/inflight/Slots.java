package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.metrics.InflightLoad;
import io.asyncbatch.flink.operator.BatchSettings;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import javax.annotation.Nullable;

/**
 * Who has one of the places in flight, and who waits for one, first come first served. Owned by the
 * mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class Slots<IN, OUT> {

    private final int capacity;
    private final long maxBytesInFlight;

    private final Deque<Batch<IN, OUT>> waiting = new ArrayDeque<>();

    /** Whether the next batch needs no free slot. */
    private boolean oneMayPass;

    /** Read by metric reporters too. */
    private volatile InflightLoad load = InflightLoad.NONE;

    Slots(BatchSettings settings) {
        this.capacity = settings.capacity();
        this.maxBytesInFlight = settings.maxBytesInFlight();
    }

    void await(Batch<IN, OUT> batch) {
        waiting.add(batch);
    }

    void awaitFirst(List<Batch<IN, OUT>> batches) {
        for (int i = batches.size() - 1; i >= 0; i--) {
            waiting.addFirst(batches.get(i));
        }
    }

    boolean hasWaiting() {
        return !waiting.isEmpty();
    }

    /** Whether a batch that comes now gets a slot at once, unless it is too heavy. */
    boolean hasFree() {
        return waiting.isEmpty() && load.batches() < capacity && load.bytes() < maxBytesInFlight;
    }

    /** Whether batches that are invoked or await emission hold all there is. */
    boolean areTaken() {
        return load.batches() >= capacity || load.bytes() >= maxBytesInFlight;
    }

    /** The batch that waits longest; null if none waits or there is no slot for it. */
    @Nullable
    Batch<IN, OUT> next() {
        Batch<IN, OUT> next = waiting.peek();
        return next == null || !(oneMayPass || hasSlotFor(next)) ? null : next;
    }

    /** Gives that batch its slot. */
    void take() {
        Batch<IN, OUT> next = waiting.remove();
        oneMayPass = false;
        load = load.plus(next.size(), next.bytes());
    }

    /** Gives a slot to the batch that waits longest even if none is free; nothing if none waits. */
    void letOneThrough() {
        oneMayPass = hasWaiting();
    }

    /** One batch is let through whatever it weighs, since no wait makes it lighter. */
    private boolean hasSlotFor(Batch<IN, OUT> batch) {
        return load.batches() < capacity
                && (load.batches() == 0 || batch.bytes() <= maxBytesInFlight - load.bytes());
    }

    void free(Batch<IN, OUT> batch) {
        load = load.minus(batch.size(), batch.bytes());
    }

    /** What holds a slot. Any thread may ask. */
    InflightLoad load() {
        return load;
    }

    /** Nothing waits any more. */
    void close() {
        waiting.clear();
    }
}
