package io.asyncbatch.flink.api;

import io.asyncbatch.flink.AsyncBatchFunction;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.streaming.api.functions.async.ResultFuture;

/**
 * Multiplies by ten, in other threads, but only when the test says so. For one job at a time; used
 * by its task and by the test.
 */
final class HeldCalls implements AsyncBatchFunction<Long, Long> {

    private static final List<Runnable> HELD = new ArrayList<>();
    private static final List<Integer> SIZES = new ArrayList<>();
    private static boolean holding;

    /** From now on no call is answered; those of earlier jobs are forgotten. */
    static synchronized void hold() {
        holding = true;
        HELD.clear();
        SIZES.clear();
    }

    /** Answers the calls that are held, and from now on all at once. */
    static synchronized void release() {
        holding = false;
        HELD.forEach(CompletableFuture::runAsync);
        HELD.clear();
    }

    static synchronized int started() {
        return SIZES.size();
    }

    /** Of all calls since they were held. */
    static synchronized List<Integer> batchSizes() {
        return List.copyOf(SIZES);
    }

    @Override
    public void asyncInvokeBatch(List<Long> rows, ResultFuture<Long> future) {
        start(rows.size(), () -> future.complete(rows.stream().map(row -> row * 10).toList()));
    }

    private static synchronized void start(int size, Runnable answer) {
        SIZES.add(size);
        if (holding) {
            HELD.add(answer);
        } else {
            CompletableFuture.runAsync(answer);
        }
    }
}
