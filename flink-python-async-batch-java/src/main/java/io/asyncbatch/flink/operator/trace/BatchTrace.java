package io.asyncbatch.flink.operator.trace;

import io.asyncbatch.flink.invoker.BatchOutcome;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/** Is told what happens to one batch from its dispatch on. Owned by the mailbox thread. */
@Internal
public interface BatchTrace {

    /** Of a batch without a span. */
    BatchTrace NONE = new Untraced();

    /**
     * A call began.
     *
     * @param attempt from 1
     * @param rows that it is for
     * @param permitWaitNanos how long it was held up by a limit, a breaker or a budget
     */
    void callBegan(int attempt, int rows, long permitWaitNanos);

    /**
     * The next call will not be made: it is refused, or the deadline was faster.
     *
     * @param permitWaitNanos how long it was held up by a limit, a breaker or a budget; 0 if it was
     *     not, or there was none to come
     */
    void callNotMade(long permitWaitNanos);

    /**
     * The call, or the timeout handler, that was asked last reported.
     *
     * @param outcome null if what runs the function is broken
     */
    void callEnded(@Nullable BatchOutcome<?> outcome);

    /**
     * The call gave rows before its end.
     *
     * @param failed those of them that have no result
     */
    void rowsGiven(int failed);

    /** The deadline passed, which ends a call, and the timeout handler is asked. */
    void timeoutHandlerAsked(int rows);

    /** The outcome of all rows is known. */
    void done(int rowsWithoutResult);

    /** The last row left: the end of the batch. */
    void left();

    /** The task fails because of the batch: its end as well. */
    void failed();

    /** See {@link #NONE}; stateless. */
    final class Untraced implements BatchTrace {

        private Untraced() {}

        @Override
        public void callBegan(int attempt, int rows, long permitWaitNanos) {}

        @Override
        public void callNotMade(long permitWaitNanos) {}

        @Override
        public void callEnded(@Nullable BatchOutcome<?> outcome) {}

        @Override
        public void rowsGiven(int failed) {}

        @Override
        public void timeoutHandlerAsked(int rows) {}

        @Override
        public void done(int rowsWithoutResult) {}

        @Override
        public void left() {}

        @Override
        public void failed() {}
    }
}
