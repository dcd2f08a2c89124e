package io.asyncbatch.flink.operator.flow;

import io.asyncbatch.flink.metrics.BatchMetrics;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.buffer.BatchFormer;
import io.asyncbatch.flink.operator.buffer.BatchRows;
import io.asyncbatch.flink.operator.buffer.BatchWeights;
import io.asyncbatch.flink.operator.buffer.CloseReason;
import io.asyncbatch.flink.operator.buffer.ClosedBatchSink;
import io.asyncbatch.flink.operator.buffer.LearnedLimit;
import io.asyncbatch.flink.operator.buffer.RowWeigher;
import io.asyncbatch.flink.operator.inflight.Batch;
import io.asyncbatch.flink.operator.inflight.BatchDispatcher;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;

/**
 * What every flow needs of the operator.
 *
 * @param settings what the user asked for
 * @param weigher what rows weigh in bytes
 * @param weights what they weigh beside that
 * @param limit how large batches may be
 * @param dispatcher where closed batches go
 */
@Internal
public record FlowContext<IN, OUT>(
        BatchSettings settings,
        RowWeigher<IN> weigher,
        BatchWeights<IN> weights,
        LearnedLimit limit,
        ProcessingTimeService timeService,
        BatchDispatcher<IN, OUT> dispatcher,
        BatchMetrics metrics) {

    BatchFormer<IN> former(ClosedBatchSink<IN> sink) {
        return new BatchFormer<>(
                settings, weigher, weights, timeService, limit, dispatcher::hasFreeSlot, sink);
    }

    Batch<IN, OUT> closed(BatchRows<IN> rows, CloseReason reason, long openedNanos) {
        long now = timeService.getClock().relativeTimeNanos();
        metrics.batchClosed(rows.size(), rows.bytes(), reason, now - openedNanos);
        return Batch.buffered(rows, openedNanos, now);
    }
}
