package io.asyncbatch.flink.operator.emission;

import java.util.concurrent.RejectedExecutionException;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.runtime.checkpoint.CheckpointOptions;
import org.apache.flink.runtime.state.CheckpointStreamFactory;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OperatorSnapshotFutures;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;

/**
 * An operator whose results become ready at any time and leave from its mailbox thread, in which
 * all of this runs.
 *
 * @param <OUT> type of the outputs
 */
@Internal
public abstract class EmittingOperator<OUT> extends AbstractStreamOperator<OUT> {

    private static final long serialVersionUID = 1L;

    /**
     * Rows that leave in one mail. Many, because a mail costs more than a row; bounded, so that
     * timers and completions get their turn when much has become ready at once.
     */
    public static final int EMITTED_PER_MAIL = 512;

    private final transient MailboxExecutor mailbox;
    private transient boolean emissionScheduled;
    private transient boolean emissionHeld;
    @Nullable private transient Exception failure;

    protected EmittingOperator(StreamOperatorParameters<OUT> parameters, MailboxExecutor mailbox) {
        super(parameters);
        this.mailbox = mailbox;
    }

    /** Whether something may leave. */
    protected abstract boolean canEmit();

    /** Lets what may leave do so, at most so many rows. */
    protected abstract void emitUpTo(int most) throws Exception;

    /** Lets go of what the state holds for a snapshot that has been taken. */
    protected abstract void forgetSaved();

    /** Emits what may leave, unless a mail is on its way that will. */
    protected final void emit() throws Exception {
        if (!emissionScheduled && !emissionHeld) {
            emitSome();
        }
    }

    /** Has nothing leave until {@link #beginEmission}: no mail runs before the task does. */
    protected final void holdEmission() {
        emissionHeld = true;
    }

    /** Has what may leave do so, in a mail. */
    protected final void beginEmission() {
        emissionHeld = false;
        if (canEmit()) {
            scheduleEmission();
        }
    }

    private void emitSome() throws Exception {
        if (failure != null) {
            return;
        }
        try {
            emitUpTo(EMITTED_PER_MAIL);
        } catch (Exception downstreamFailure) {
            fail(downstreamFailure);
        }
        if (canEmit()) {
            scheduleEmission();
        }
    }

    private void scheduleEmission() {
        try {
            mailbox.execute(
                    () -> {
                        emissionScheduled = false;
                        emitSome();
                    },
                    "emit results");
            emissionScheduled = true;
        } catch (RejectedExecutionException mailboxClosed) {
            LOG.debug("Kept results back: the task ended, and they are in its last checkpoint");
        }
    }

    /** Throws what ends the task, and remembers it. */
    protected final void fail(Exception cause) throws Exception {
        failure = cause;
        throw cause;
    }

    /**
     * A failure was thrown in a mail, perhaps one that ran while an operator before this one waited
     * in its collector. If user code there swallowed it, going on would lose rows.
     */
    protected final void rethrowFailure() throws Exception {
        if (failure != null) {
            getContainingTask().getEnvironment().failExternally(failure);
            throw failure;
        }
    }

    @Override
    public final OperatorSnapshotFutures snapshotState(
            long checkpointId,
            long timestamp,
            CheckpointOptions checkpointOptions,
            CheckpointStreamFactory factory)
            throws Exception {
        OperatorSnapshotFutures futures =
                super.snapshotState(checkpointId, timestamp, checkpointOptions, factory);
        // The backend copied the entries; without this it would keep the rows until the next one.
        forgetSaved();
        return futures;
    }
}
