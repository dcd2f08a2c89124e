package io.asyncbatch.flink.benchmark.overload;

/**
 * What a model server is like. A call occupies one of {@code executors} for {@code constantSeconds
 * + secondsPerWeight * weight}, give or take; a row weighs 1 unless it is a long one. What the
 * server has accepted occupies its memory: beyond {@code kneeWeight} everything takes longer, by
 * the square of the excess, beyond {@code failureWeight} some calls run out of memory half-way, and
 * beyond {@code refusalWeight} nothing more is accepted.
 *
 * @param wireSeconds one way to the server
 * @param jitter standard deviation of the logarithm of service times
 */
record BackendModel(
        int executors,
        double constantSeconds,
        double secondsPerWeight,
        double kneeWeight,
        double failureWeight,
        double refusalWeight,
        double failureProbability,
        double wireSeconds,
        double jitter) {

    static final int BATCH_ROWS = 64;

    /**
     * 16 batches of 64 rows at a time, 0.3 s each; room for 24, trouble from 36, no more than 48.
     */
    static final BackendModel GPU =
            new BackendModel(
                    16,
                    0.060,
                    0.004,
                    24 * BATCH_ROWS,
                    36 * BATCH_ROWS,
                    48 * BATCH_ROWS,
                    0.1,
                    0.005,
                    0.1);

    /** So many of these servers behind a load balancer that knows their queues. */
    BackendModel times(int servers) {
        return new BackendModel(
                servers * executors,
                constantSeconds,
                secondsPerWeight,
                servers * kneeWeight,
                servers * failureWeight,
                servers * refusalWeight,
                failureProbability,
                wireSeconds,
                jitter);
    }

    /** Rows a second that it can do in full batches of rows of weight 1. */
    double bestRowsPerSecond() {
        return executors * BATCH_ROWS / (constantSeconds + secondsPerWeight * BATCH_ROWS);
    }
}
