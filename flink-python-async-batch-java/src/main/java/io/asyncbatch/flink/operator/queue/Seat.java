package io.asyncbatch.flink.operator.queue;

import io.asyncbatch.flink.operator.inflight.RowOutput;
import io.asyncbatch.flink.operator.state.FailedRow;
import io.asyncbatch.flink.operator.state.SavedElement;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * One row's place in the operator's row sequence, from its arrival until it has left, whichever
 * batch computes it. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class Seat<IN, OUT> {

    private static final Object NULL_RESULT = new Object();

    /** In place of an outcome, which would be held as long as the batch of the row is. */
    private static final Object LEFT = new Object();

    private final long position;
    private final boolean hasTimestamp;
    private final long timestamp;

    /** Null once there is a result. */
    @Nullable private IN input;

    /** Null as long as nothing is known, a result, or a {@link FailedRow}. */
    @Nullable private Object outcome;

    /** Whose slot the row holds; null if none. */
    @Nullable private SeatedBatch<IN, OUT> batch;

    /** Its bytes while it follows another row; negative if it does not. */
    private long followingBytes = -1;

    Seat(long position, @Nullable IN input, boolean hasTimestamp, long timestamp) {
        this.position = position;
        this.input = input;
        this.hasTimestamp = hasTimestamp;
        this.timestamp = timestamp;
    }

    public long position() {
        return position;
    }

    /** The row, as long as it has no result. */
    public IN input() {
        return input;
    }

    /** Has the record carry the row's timestamp, or none if it has none. */
    public void stamp(StreamRecord<?> record) {
        if (hasTimestamp) {
            record.setTimestamp(timestamp);
        } else {
            record.eraseTimestamp();
        }
    }

    boolean isSettled() {
        return outcome != null;
    }

    void settle(@Nullable OUT result) {
        requireOpen();
        outcome = result == null ? NULL_RESULT : result;
        input = null;
    }

    void fail(FailedRow failure) {
        requireOpen();
        outcome = failure;
    }

    private void requireOpen() {
        if (outcome != null) {
            throw new IllegalStateException("the row at " + position + " has an outcome already");
        }
    }

    /** Why the row has no result; null if it has one, or nothing is known. */
    @Nullable
    public FailedRow failure() {
        return outcome instanceof FailedRow failure ? failure : null;
    }

    /** The result of a row that has one. */
    @Nullable
    @SuppressWarnings("unchecked")
    public OUT result() {
        return outcome == NULL_RESULT ? null : (OUT) outcome;
    }

    void follow(long bytes) {
        followingBytes = bytes;
    }

    boolean isFollowing() {
        return followingBytes >= 0;
    }

    /** It follows no more. Returns its bytes. */
    long endFollowing() {
        long bytes = followingBytes;
        followingBytes = -1;
        return bytes;
    }

    void seatIn(SeatedBatch<IN, OUT> newBatch) {
        batch = newBatch;
    }

    @Nullable
    SeatedBatch<IN, OUT> batch() {
        return batch;
    }

    /** Lets the row leave, and forgets what it was. */
    void leave(RowOutput<OUT> output) {
        FailedRow failure = failure();
        OUT result = failure == null ? result() : null;
        IN failed = input;
        outcome = LEFT;
        input = null;
        if (failure == null) {
            output.result(result, hasTimestamp, timestamp);
        } else {
            output.failure(failed, failure, hasTimestamp, timestamp);
        }
    }

    SavedElement<IN, OUT> saved() {
        FailedRow failure = failure();
        if (failure != null) {
            return new SavedElement.Failed<>(input, failure, hasTimestamp, timestamp);
        }
        return isSettled()
                ? new SavedElement.Result<>(result(), hasTimestamp, timestamp)
                : new SavedElement.Input<>(input, hasTimestamp, timestamp);
    }
}
