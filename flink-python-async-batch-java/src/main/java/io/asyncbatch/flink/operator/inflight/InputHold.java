package io.asyncbatch.flink.operator.inflight;

import java.util.concurrent.ScheduledFuture;
import java.util.function.BooleanSupplier;
import java.util.function.LongConsumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Holds input back while batches wait for a slot, but not entirely. Owned by the mailbox thread.
 *
 * <p>Flink takes a checkpoint only between two rows of a task: in the middle of one, the operators
 * before this one would be snapshotted as if they had not sent the row that this one already has.
 * An operator that simply waits for a slot therefore delays every barrier by as long as a call
 * takes, and a call that hangs delays it for ever (FLINK-39835; the remedy of later versions, soft
 * back-pressure, is not in 2.3). So now and then one row is let in: after a short pause at first,
 * then ever more seldom. It joins the rows that wait, which are in the snapshot like all others.
 */
@Internal
public final class InputHold {

    /** Much longer than a slot is taken where calls are quick, so that input then simply waits. */
    public static final long FIRST_PAUSE_MILLIS = 10;

    /**
     * Bounds how long a barrier waits for a gap between rows. Pauses grow by an eighth, so until
     * then it waits for about an eighth of the time that the operator has been full.
     */
    public static final long LONGEST_PAUSE_MILLIS = 500;

    /** Bounds, together with their bytes, what gathers while a function's calls do not end. */
    public static final int MOST_ROWS = 1_000;

    /** Let in whatever they weigh, so that barriers get through between large rows too. */
    public static final int FEWEST_ROWS = 16;

    private final BooleanSupplier full;
    private final MailboxExecutor mailbox;
    private final ProcessingTimeService timeService;
    private final LongConsumer heldNanos;
    private final int mostRows;
    private final long mostBytes;

    private int rowsLetIn;
    private long bytesLetIn;
    private long pauseMillis = FIRST_PAUSE_MILLIS;

    /** One wait's own, so that a timer that fires too late cannot shorten a later wait. */
    private static final class Pause {
        private boolean over;
    }

    /**
     * @param full whether batches wait for a slot
     * @param heldNanos takes how long input was held back
     * @param mostRows rows are let in until they are so many
     * @param mostBytes rows are let in until they weigh this much together, a few in any case
     */
    public InputHold(
            BooleanSupplier full,
            MailboxExecutor mailbox,
            ProcessingTimeService timeService,
            LongConsumer heldNanos,
            int mostRows,
            long mostBytes) {
        this.full = full;
        this.mailbox = mailbox;
        this.timeService = timeService;
        this.heldNanos = heldNanos;
        this.mostRows = mostRows;
        this.mostBytes = mostBytes;
    }

    /**
     * Returns when the next row may come. Runs mails meanwhile.
     *
     * @param bytes weight of the row that has come last
     */
    public void awaitNextRow(long bytes) throws Exception {
        if (!full.getAsBoolean()) {
            return;
        }
        long heldSince = timeService.getClock().relativeTimeNanos();
        bytesLetIn += bytes;
        Pause pause = new Pause();
        ScheduledFuture<?> timer = mayLetIn() ? start(pause) : null;
        try {
            while (full.getAsBoolean() && !pause.over) {
                mailbox.yield();
            }
        } finally {
            // Also when the task ends here, as nobody else knows of it.
            if (timer != null) {
                timer.cancel(false);
            }
        }
        heldNanos.accept(timeService.getClock().relativeTimeNanos() - heldSince);
        if (full.getAsBoolean()) {
            rowsLetIn++;
            pauseMillis = Math.min(pauseMillis + pauseMillis / 8 + 1, LONGEST_PAUSE_MILLIS);
        } else {
            rowsLetIn = 0;
            bytesLetIn = 0;
            pauseMillis = FIRST_PAUSE_MILLIS;
        }
    }

    private boolean mayLetIn() {
        return rowsLetIn < FEWEST_ROWS || (rowsLetIn < mostRows && bytesLetIn < mostBytes);
    }

    private ScheduledFuture<?> start(Pause pause) {
        return timeService.registerTimer(
                timeService.getCurrentProcessingTime() + pauseMillis, firedAt -> pause.over = true);
    }
}
