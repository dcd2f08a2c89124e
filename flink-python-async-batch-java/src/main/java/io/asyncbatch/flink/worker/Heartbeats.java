package io.asyncbatch.flink.worker;

import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import javax.annotation.Nullable;
import org.apache.flink.util.concurrent.ExecutorThreadFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Notices that a worker falls silent: its event loop sends a heartbeat in every interval, so one
 * that does not has been blocked, stopped, or holds Python's lock. The channel's thread tells what
 * it hears; a thread of its own counts.
 *
 * <p>Intervals are counted, not time: when this process was not running itself, nothing could be
 * heard.
 */
final class Heartbeats implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Heartbeats.class);

    private static final long LONGEST_INTERVAL_MILLIS = 1_000;
    private static final int INTERVALS_AT_LEAST = 4;

    /**
     * The worker is given so many more: it writes down what blocks it before it is ended, and has
     * that said in any case.
     */
    private static final int SPARE_INTERVALS = 3;

    private final long stallTimeoutMillis;
    private final Runnable whenSilent;

    /** Since the last count. */
    private volatile boolean heard;

    private int silentIntervals;
    @Nullable private ScheduledExecutorService counting;

    /**
     * @param stallTimeoutMillis how long an event loop may be blocked
     * @param whenSilent called once, when it has been for that long
     */
    Heartbeats(long stallTimeoutMillis, Runnable whenSilent) {
        this.stallTimeoutMillis = stallTimeoutMillis;
        this.whenSilent = whenSilent;
    }

    /** In which the worker sends one. */
    static long intervalMillis(long stallTimeoutMillis) {
        return Math.max(
                1, Math.min(LONGEST_INTERVAL_MILLIS, stallTimeoutMillis / INTERVALS_AT_LEAST));
    }

    /** The worker has become ready, and sends heartbeats. */
    void start(String workerName) {
        long interval = intervalMillis(stallTimeoutMillis);
        counting =
                Executors.newSingleThreadScheduledExecutor(
                        new ExecutorThreadFactory(
                                workerName + "-heartbeats",
                                (thread, error) ->
                                        LOG.error("Thread {} failed", thread.getName(), error)));
        counting.scheduleWithFixedDelay(this::count, interval, interval, TimeUnit.MILLISECONDS);
    }

    /** The worker sent something. */
    void heard() {
        heard = true;
    }

    /** An interval has passed. */
    void count() {
        if (heard) {
            heard = false;
            silentIntervals = 0;
            return;
        }
        silentIntervals++;
        if (silentIntervals == silentIntervalsUntilStalled()) {
            whenSilent.run();
        }
    }

    long silentIntervalsUntilStalled() {
        long interval = intervalMillis(stallTimeoutMillis);
        return (stallTimeoutMillis + interval - 1) / interval + SPARE_INTERVALS;
    }

    /** Silence means nothing any more. */
    @Override
    public void close() {
        if (counting != null) {
            counting.shutdownNow();
        }
    }
}
