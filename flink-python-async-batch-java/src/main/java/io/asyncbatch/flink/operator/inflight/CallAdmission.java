package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.limit.Permit;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.util.function.ThrowingRunnable;

/**
 * Whether a call may begin, of a batch that has a slot. Owned by the mailbox thread.
 *
 * <p>Each call that was let go ends here once: it {@linkplain #ended ended}, {@linkplain #timedOut
 * timed out}, or was {@linkplain #ignored ignored}. Of a batch without a call under way these do
 * nothing.
 */
@Internal
public interface CallAdmission extends AutoCloseable {

    /** What becomes of a call that is to be made. */
    enum Answer {
        /** It is made. */
        GO,

        /** It waits, and so do all others. */
        WAIT,

        /** It waits, as it repeats one; others may go. */
        RETRIES_WAIT,

        /** It is not made, and fails. */
        REFUSED
    }

    /** Any call may begin at any time. */
    CallAdmission ALWAYS = new Always();

    /**
     * Is asked for the first time after this.
     *
     * @param retry called, in the mailbox thread, when an answer that was {@link Answer#WAIT} or
     *     {@link Answer#RETRIES_WAIT}, or a {@link #hasRoom} that was false, may be another one now
     */
    void start(ThrowingRunnable<Exception> retry);

    /**
     * Asks for the right to call for some rows of the batch, which has it if the answer is {@link
     * Answer#GO}.
     *
     * @param attempt from 1; others than the first repeat a call
     */
    Answer ask(Batch<?, ?> batch, int attempt, int rows);

    /** Whether a batch that came now would not wait. */
    boolean hasRoom();

    /**
     * The batch's call ended.
     *
     * @param outcome not {@link BatchOutcome.Deferred}; null if what runs the function is broken
     * @param nanos when it ended, by the monotonic clock
     */
    void ended(Batch<?, ?> batch, @Nullable BatchOutcome<?> outcome, long nanos);

    /** The batch's deadline passed before its call ended. */
    void timedOut(Batch<?, ?> batch);

    /** The batch's call ended in a way that says nothing about what it calls. */
    void ignored(Batch<?, ?> batch);

    /**
     * Asks for the right to call once more for rows of the batch while their call goes on. It waits
     * for nothing, and takes nothing that somebody waits for.
     *
     * @return to be ended by one of the four below; null if there is none now
     */
    @Nullable
    Permit tryHedge(Batch<?, ?> batch, int rows);

    /**
     * The second call has the batch's results, or some of them: the one that was under way before
     * is given up, and the right to the second is to become the batch's.
     */
    void hedgeWon(Batch<?, ?> batch);

    /**
     * The call that was under way before ended without results, and the second goes on in its
     * place: the right to it is to become the batch's.
     *
     * @param outcome of the call that ended, not {@link BatchOutcome.Deferred}
     * @param nanos when it ended, by the monotonic clock
     */
    void hedgeTookOver(Batch<?, ?> batch, @Nullable BatchOutcome<?> outcome, long nanos);

    /** The second call is given up. */
    void hedgeDropped(Permit hedge);

    /**
     * The second call ended without results, while the batch's call goes on.
     *
     * @param outcome not {@link BatchOutcome.Deferred}
     * @param nanos when it ended, by the monotonic clock
     */
    void hedgeFailed(Permit hedge, @Nullable BatchOutcome<?> outcome, long nanos);

    /** Nothing waits to be called for. */
    void nothingWaits();

    /** Nothing but what was told {@link Answer#RETRIES_WAIT} waits to be called for. */
    void onlyRetriesWait();

    /** The input ended and all its calls did: nothing is asked for any more. */
    void endInput();

    /** Why calls are refused. Whether the task is to fail for it is in the settings. */
    Exception refusal();

    /** Whether a call that is refused fails the task, whatever becomes of calls that fail. */
    boolean refusalFailsTask();

    @Override
    void close();

    /** See {@link #ALWAYS}; stateless. */
    final class Always implements CallAdmission {

        private Always() {}

        @Override
        public void start(ThrowingRunnable<Exception> retry) {}

        @Override
        public Answer ask(Batch<?, ?> batch, int attempt, int rows) {
            return Answer.GO;
        }

        @Override
        public boolean hasRoom() {
            return true;
        }

        @Override
        public void ended(Batch<?, ?> batch, @Nullable BatchOutcome<?> outcome, long nanos) {}

        @Override
        public void timedOut(Batch<?, ?> batch) {}

        @Override
        public void ignored(Batch<?, ?> batch) {}

        @Override
        @Nullable
        public Permit tryHedge(Batch<?, ?> batch, int rows) {
            return null;
        }

        @Override
        public void hedgeWon(Batch<?, ?> batch) {
            throw noHedge();
        }

        @Override
        public void hedgeTookOver(
                Batch<?, ?> batch, @Nullable BatchOutcome<?> outcome, long nanos) {
            throw noHedge();
        }

        @Override
        public void hedgeDropped(Permit hedge) {
            throw noHedge();
        }

        @Override
        public void hedgeFailed(Permit hedge, @Nullable BatchOutcome<?> outcome, long nanos) {
            throw noHedge();
        }

        private static IllegalStateException noHedge() {
            return new IllegalStateException("no call is hedged");
        }

        @Override
        public void nothingWaits() {}

        @Override
        public void onlyRetriesWait() {}

        @Override
        public void endInput() {}

        @Override
        public Exception refusal() {
            throw new IllegalStateException("no call is refused");
        }

        @Override
        public boolean refusalFailsTask() {
            return false;
        }

        @Override
        public void close() {}
    }
}
