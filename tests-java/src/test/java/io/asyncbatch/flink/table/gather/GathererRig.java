package io.asyncbatch.flink.table.gather;

import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.ManualTimers;
import io.asyncbatch.flink.operator.trace.TraceSampling;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;
import org.apache.flink.util.function.ThrowingRunnable;

/**
 * A gatherer whose thread is the test's, on a manual clock, with calls that end as the test says.
 */
final class GathererRig {

    static final int BATCH_SIZE = 3;
    static final long BATCH_TIMEOUT = 50;
    static final long TIMEOUT = 1_000;
    static final int CAPACITY = 2;

    final ManualTimers timers = new ManualTimers();
    final Mails mails = new Mails();
    final Calls calls = new Calls();
    final Gatherer<Integer, String> gatherer;

    GathererRig() {
        timers.setMailbox(mails);
        gatherer =
                new Gatherer<>(
                        new BatchSettings(
                                OutputMode.UNORDERED,
                                BATCH_SIZE,
                                BATCH_TIMEOUT,
                                TIMEOUT,
                                CAPACITY,
                                Long.MAX_VALUE),
                        calls,
                        row -> 0,
                        timers,
                        mails,
                        UnregisteredMetricsGroup.createOperatorMetricGroup(),
                        new TraceSampling(0));
    }

    List<CompletableFuture<String>> add(int... rows) throws Exception {
        List<CompletableFuture<String>> results = new ArrayList<>();
        for (int row : rows) {
            CompletableFuture<String> result = new CompletableFuture<>();
            gatherer.add(row, result);
            results.add(result);
        }
        mails.runAll();
        return results;
    }

    void advance(long millis) throws Exception {
        timers.advance(millis);
        mails.runAll();
    }

    /** Work for the gatherer's thread, which is the test's. What it throws fails the gatherer. */
    final class Mails implements MailboxExecutor {

        private final Queue<ThrowingRunnable<? extends Exception>> waiting = new ArrayDeque<>();

        void runAll() {
            while (!waiting.isEmpty()) {
                try {
                    waiting.remove().run();
                } catch (Exception failure) {
                    gatherer.fail(failure);
                }
            }
        }

        @Override
        public void execute(
                MailOptions options,
                ThrowingRunnable<? extends Exception> work,
                String description,
                Object... arguments) {
            waiting.add(work);
        }

        @Override
        public void yield() {
            throw new AssertionError("nothing waits");
        }

        @Override
        public boolean tryYield() {
            throw new AssertionError("nothing waits");
        }

        @Override
        public boolean shouldInterrupt() {
            return false;
        }
    }

    /** Calls that end when the test says. */
    static final class Calls implements BatchInvoker<Integer, String> {

        final List<BatchRequest<Integer>> requests = new ArrayList<>();
        private final List<CompletableFuture<BatchOutcome<String>>> answers = new ArrayList<>();
        final Queue<CompletableFuture<BatchOutcome<String>>> timedOut = new ArrayDeque<>();

        List<List<Integer>> inputs() {
            return requests.stream().map(BatchRequest::inputs).toList();
        }

        void succeed(int call) {
            answer(
                    call,
                    BatchOutcome.success(
                            requests.get(call).inputs().stream().map(row -> "r" + row).toList()));
        }

        void fail(int call, Exception cause) {
            answer(call, BatchOutcome.failure(cause));
        }

        void answer(int call, BatchOutcome<String> outcome) {
            answers.get(call).complete(outcome);
        }

        void answerOne(boolean success) {
            for (int call = 0; call < answers.size(); call++) {
                if (!answers.get(call).isDone()) {
                    if (success) {
                        succeed(call);
                    } else {
                        fail(call, new IllegalStateException("no model"));
                    }
                    return;
                }
            }
        }

        @Override
        public void open(InvokerContext context) {}

        @Override
        public CompletionStage<BatchOutcome<String>> invoke(
                BatchRequest<Integer> request, EarlyRows<String> early) {
            requests.add(request);
            CompletableFuture<BatchOutcome<String>> answer = new CompletableFuture<>();
            answers.add(answer);
            return answer;
        }

        @Override
        public CompletionStage<BatchOutcome<String>> timeout(BatchRequest<Integer> request) {
            CompletableFuture<BatchOutcome<String>> answer = new CompletableFuture<>();
            timedOut.add(answer);
            return answer;
        }

        @Override
        public void close() {}
    }
}
