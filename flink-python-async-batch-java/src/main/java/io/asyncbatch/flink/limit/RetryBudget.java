package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/**
 * Bounds retries by what succeeds, so that they never multiply the load of a backend that fails:
 * over the last ten seconds there are no more retries than a share of the successes in them, and a
 * few more, without which a job with few calls could not retry at all. Owned by one thread at a
 * time.
 */
@Internal
public final class RetryBudget {

    /** Share of successes that may be retries unless somebody says otherwise. */
    public static final double DEFAULT_SHARE = 0.1;

    /** Retries that are free in any ten seconds, unless somebody says otherwise. */
    public static final int DEFAULT_RESERVE = 10;

    static final int BUCKETS = 10;
    static final long BUCKET_NANOS = 1_000_000_000L;

    private final double share;
    private final int reserve;
    private final int[] successes = new int[BUCKETS];
    private final int[] retries = new int[BUCKETS];
    private boolean began;
    private long bucket;

    /**
     * @param share retries a success, from 0 to 1
     * @param reserve retries that any ten seconds may have beyond that, at least 1: without any,
     *     nothing could ever succeed again once nothing does
     */
    public RetryBudget(double share, int reserve) {
        if (!(share >= 0 && share <= 1)) {
            throw new IllegalArgumentException(
                    "retry budget must be a share between 0 and 1, got " + share);
        }
        if (reserve < 1) {
            throw new IllegalArgumentException(
                    "reserve of the retry budget must be positive, got " + reserve);
        }
        this.share = share;
        this.reserve = reserve;
    }

    /** A call succeeded, whichever attempt it was. */
    public void onSuccess(long nowNanos) {
        successes[bucketOf(nowNanos)]++;
    }

    /** Takes the right to one retry. False if there is none now. */
    public boolean tryRetry(long nowNanos) {
        if (!allowsRetry(nowNanos)) {
            return false;
        }
        retries[bucketOf(nowNanos)]++;
        return true;
    }

    /** What {@link #tryRetry} would answer. */
    boolean allowsRetry(long nowNanos) {
        bucketOf(nowNanos);
        return sum(retries) < (long) (share * sum(successes)) + reserve;
    }

    /** When the window has moved on far enough for {@link #tryRetry} to answer otherwise. */
    public long nanosUntilChange(long nowNanos) {
        return BUCKET_NANOS - Math.floorMod(nowNanos, BUCKET_NANOS);
    }

    private int bucketOf(long nowNanos) {
        long now = Math.floorDiv(nowNanos, BUCKET_NANOS);
        // A clock that went back stays in the bucket it was in.
        long passed = began ? Math.max(0, now - bucket) : BUCKETS;
        for (int i = 1; i <= Math.min(passed, BUCKETS); i++) {
            int expired = index(bucket + i);
            successes[expired] = 0;
            retries[expired] = 0;
        }
        bucket = began ? bucket + passed : now;
        began = true;
        return index(bucket);
    }

    private static int index(long bucket) {
        return (int) Math.floorMod(bucket, (long) BUCKETS);
    }

    private static long sum(int[] counts) {
        long sum = 0;
        for (int count : counts) {
            sum += count;
        }
        return sum;
    }
}
