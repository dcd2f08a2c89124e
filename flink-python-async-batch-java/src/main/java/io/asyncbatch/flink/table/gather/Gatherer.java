package io.asyncbatch.flink.table.gather;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.metrics.BatchMetrics;
import io.asyncbatch.flink.metrics.InflightLoad;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.buffer.BatchFormer;
import io.asyncbatch.flink.operator.buffer.BatchRows;
import io.asyncbatch.flink.operator.buffer.CloseReason;
import io.asyncbatch.flink.operator.buffer.LearnedLimit;
import io.asyncbatch.flink.operator.buffer.RowWeigher;
import io.asyncbatch.flink.operator.inflight.Batch;
import io.asyncbatch.flink.operator.inflight.BatchDispatcher;
import io.asyncbatch.flink.operator.inflight.BatchListener;
import io.asyncbatch.flink.operator.inflight.CallAdmission;
import io.asyncbatch.flink.operator.trace.BatchTraces;
import io.asyncbatch.flink.operator.trace.TraceSampling;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import javax.annotation.Nullable;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.metrics.MetricGroup;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * Groups rows into batches and gives each row its result through the future that it came with.
 * Owned by one thread, in which {@code timeService} and {@code mailbox} call it back.
 *
 * <p>Every future completes, whatever happens: with the row's result, or with the first failure,
 * which ends all that is there and all that comes.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class Gatherer<IN, OUT> implements BatchListener<IN, OUT> {

    /** The operator around the function keeps the rows' timestamps. */
    private static final StreamRecord<?> WITHOUT_TIMESTAMP = new StreamRecord<>(null);

    private final ProcessingTimeService timeService;
    private final BatchMetrics metrics;
    private final BatchDispatcher<IN, OUT> dispatcher;
    private final LearnedLimit limit;
    private final BatchFormer<IN> former;

    /** Of the rows of the batch that is still open. */
    private final Queue<CompletableFuture<OUT>> forming = new ArrayDeque<>();

    private final Map<Batch<IN, OUT>, List<CompletableFuture<OUT>>> closed = new HashMap<>();
    @Nullable private Throwable failure;

    Gatherer(
            BatchSettings settings,
            BatchInvoker<IN, OUT> invoker,
            RowWeigher<IN> weigher,
            ProcessingTimeService timeService,
            MailboxExecutor mailbox,
            MetricGroup metricGroup,
            TraceSampling sampling) {
        this.timeService = timeService;
        this.limit = new LearnedLimit(settings.batchSize(), settings.maxBatchBytes());
        this.metrics =
                new BatchMetrics(
                        metricGroup,
                        settings.capacity(),
                        this::load,
                        () -> 0,
                        () -> 0,
                        limit::rows,
                        limit::bytes);
        this.dispatcher =
                new BatchDispatcher<>(
                        settings,
                        invoker,
                        timeService,
                        mailbox,
                        metrics,
                        new BatchTraces(
                                sampling,
                                metricGroup,
                                timeService.getClock(),
                                settings.outputMode()),
                        this,
                        CallAdmission.ALWAYS);
        this.former =
                new BatchFormer<>(
                        settings,
                        weigher,
                        timeService,
                        limit,
                        dispatcher::hasFreeSlot,
                        this::onBatchClosed);
    }

    /** Reporters may ask before the constructor has ended. */
    private InflightLoad load() {
        return dispatcher == null ? InflightLoad.NONE : dispatcher.load();
    }

    /**
     * Takes a row.
     *
     * @param row which nobody changes any more
     * @param result completed in this thread
     */
    void add(IN row, CompletableFuture<OUT> result) throws Exception {
        if (failure != null) {
            result.completeExceptionally(failure);
            return;
        }
        forming.add(result);
        former.add(row, WITHOUT_TIMESTAMP);
    }

    private void onBatchClosed(BatchRows<IN> rows, CloseReason reason, long openedNanos)
            throws Exception {
        long now = timeService.getClock().relativeTimeNanos();
        metrics.batchClosed(rows.size(), rows.bytes(), reason, now - openedNanos);
        List<CompletableFuture<OUT>> results = new ArrayList<>(rows.size());
        for (int row = 0; row < rows.size(); row++) {
            results.add(forming.remove());
        }
        Batch<IN, OUT> batch = Batch.buffered(rows, openedNanos, now);
        closed.put(batch, results);
        dispatcher.submit(batch);
    }

    @Override
    public void onDone(Batch<IN, OUT> batch) throws Exception {
        List<CompletableFuture<OUT>> results = closed.remove(batch);
        List<OUT> values = batch.results();
        for (int row = 0; row < values.size(); row++) {
            results.get(row).complete(values.get(row));
        }
        dispatcher.release(batch);
    }

    /** What is known early waits for the rest of its batch. */
    @Override
    public void onPartlyDone(Batch<IN, OUT> batch) {}

    @Override
    public void onTooLarge(int rows, long bytes) {
        limit.tooLarge(rows, bytes);
    }

    @Override
    public void onSuccess(int rows, long bytes) {
        limit.succeeded(rows, bytes);
    }

    @Override
    public void onCallEnded(long nanos) {
        former.onCallEnded(nanos);
    }

    @Override
    public boolean awaitsSlot() {
        return former.awaitsSlot();
    }

    @Override
    public void onSlotFree() {
        former.onSlotFree();
    }

    @Override
    public void onFailure(Exception batchFailure) {
        fail(batchFailure);
    }

    /** Ends everything that is there and everything that comes. The first failure counts. */
    void fail(Throwable cause) {
        if (failure != null) {
            return;
        }
        failure = cause;
        stop();
        forming.forEach(result -> result.completeExceptionally(cause));
        forming.clear();
        closed.values().forEach(rows -> rows.forEach(row -> row.completeExceptionally(cause)));
        closed.clear();
    }

    private void stop() {
        former.cancelTimer();
        dispatcher.close();
    }
}
