package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.FailureKind;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.metrics.BatchMetrics;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What becomes of batches whose worker died: they wait for the next one, and are called for again
 * when the {@link CallGate} says that it is their turn, or are given up as what ends workers. Owned
 * by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class WorkerLosses<IN, OUT> {

    /** Follows batches from call to call. */
    interface Owner<IN, OUT> {

        /**
         * The call that was under way has ended.
         *
         * @param taskGoesOn whether the task has not ended with it
         */
        void goOnIf(boolean taskGoesOn, Batch<IN, OUT> batch) throws Exception;

        /** Makes the calls that may be made now. */
        void makeCalls() throws Exception;

        /** There is no worker, so that it is nothing else that calls wait for. */
        void noCallMayBegin();
    }

    private static final Logger LOG = LoggerFactory.getLogger(WorkerLosses.class);

    private final CallGate<IN, OUT> gate;
    private final InvokerCalls<IN, OUT> calls;
    private final Settlement<IN, OUT> settlement;
    private final BatchMetrics metrics;
    private final Owner<IN, OUT> owner;

    WorkerLosses(
            CallGate<IN, OUT> gate,
            InvokerCalls<IN, OUT> calls,
            Settlement<IN, OUT> settlement,
            BatchMetrics metrics,
            Owner<IN, OUT> owner) {
        this.gate = gate;
        this.calls = calls;
        this.settlement = settlement;
        this.metrics = metrics;
        this.owner = owner;
    }

    /** The worker died, or there was none any more, while the batch waited for it. */
    void lost(Batch<IN, OUT> batch, BatchRequest<IN> request, BatchOutcome.WorkerLost<OUT> lost)
            throws Exception {
        boolean wasUnderWay = lost.batches() > 0;
        LOG.debug(
                "Batch {} of {} rows is called for again in another worker",
                request.batchId(),
                request.inputs().size(),
                lost.cause());
        // Also if its deadline had passed: that may be the fault of the worker that is gone.
        batch.awaitWorker();
        if (wasUnderWay) {
            metrics.callLost();
            batch.calls().workerDied(lost.batches() == 1);
        }
        awaitWorker();
        if (wasUnderWay && gate.convicts(batch)) {
            owner.goOnIf(
                    settlement.failed(batch, request, FailureKind.WORKER_LOST, lost.cause()),
                    batch);
        } else {
            batch.calls().putBack(wasUnderWay);
            owner.goOnIf(true, batch);
        }
    }

    private void awaitWorker() {
        if (gate.shut()) {
            owner.noCallMayBegin();
            calls.awaitWorker();
        }
    }

    /** There is a worker again. */
    void workerIsReady() throws Exception {
        gate.reopen();
        owner.makeCalls();
    }

    /** Calls for the next part of the batch when it is its turn, with a deadline from then on. */
    void awaitTurn(Batch<IN, OUT> batch) throws Exception {
        batch.awaitWorker();
        gate.await(batch);
        owner.makeCalls();
    }
}
