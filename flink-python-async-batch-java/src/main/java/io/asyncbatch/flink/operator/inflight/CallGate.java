package io.asyncbatch.flink.operator.inflight;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.BooleanSupplier;
import javax.annotation.Nullable;

/**
 * Whose turn it is to call for rows once a worker has died. Owned by the mailbox thread.
 *
 * <p>Nothing passes while there is no worker. Then batches that were under way at several deaths
 * pass one by one, each with nothing else under way, since any of them may be what ends workers,
 * and the others shall not die with it once more. The rest follows all at once, before batches that
 * are new. As long as no worker dies this is open and empty.
 */
final class CallGate<IN, OUT> {

    private final int suspectAfter;
    private final Deque<Batch<IN, OUT>> suspects = new ArrayDeque<>();
    private final Deque<Batch<IN, OUT>> others = new ArrayDeque<>();

    /** The suspect whose call is under way. */
    @Nullable private Batch<IN, OUT> alone;

    /** The suspect whose call ended last. */
    @Nullable private Batch<IN, OUT> lastAlone;

    private boolean shut;

    CallGate(int suspectAfter) {
        this.suspectAfter = suspectAfter;
    }

    /** Whether everyone may pass. */
    boolean isOpenToAll() {
        return !shut && alone == null && suspects.isEmpty() && others.isEmpty();
    }

    /** Whether the batch's next part may be called for at once. */
    boolean admits(Batch<IN, OUT> batch) {
        return isOpenToAll() && !batch.calls().nextPartIsSuspect(suspectAfter);
    }

    /** Whether it has been shown that the rows of the batch's call end workers. */
    boolean convicts(Batch<IN, OUT> batch) {
        return batch.calls().isConvicted(suspectAfter);
    }

    /** A batch whose next part is called for when it is its turn. */
    void await(Batch<IN, OUT> batch) {
        if (!batch.calls().nextPartIsSuspect(suspectAfter)) {
            others.add(batch);
        } else if (batch == lastAlone) {
            // What is left of a batch comes before the next one: slots become free sooner.
            suspects.addFirst(batch);
        } else {
            suspects.add(batch);
        }
    }

    /** A call for rows of the batch has ended, however it did. */
    void ended(Batch<IN, OUT> batch) {
        if (batch == alone) {
            lastAlone = alone;
            alone = null;
        }
    }

    /**
     * There is no worker.
     *
     * @return false if that was known
     */
    boolean shut() {
        boolean wasOpen = !shut;
        shut = true;
        return wasOpen;
    }

    /** There is a worker. */
    void reopen() {
        shut = false;
    }

    /**
     * The batch whose turn it is now; null if it is nobody's.
     *
     * @param idle whether no call is under way
     */
    @Nullable
    Batch<IN, OUT> peek(BooleanSupplier idle) {
        if (shut || alone != null) {
            return null;
        }
        if (suspects.isEmpty()) {
            return others.peek();
        }
        return idle.getAsBoolean() ? suspects.peek() : null;
    }

    /** The batch whose turn it is takes it, and is no longer here then. */
    void take() {
        if (suspects.isEmpty()) {
            lastAlone = null;
            others.remove();
        } else {
            alone = suspects.remove();
        }
    }

    /** Nobody waits any more. */
    void close() {
        suspects.clear();
        others.clear();
    }
}
