package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.CircuitBreakerOptions;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.RetryBudgetOptions;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.LongStream;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Real subtasks, in threads of their own, that share what they may ask of a backend. */
@Timeout(120)
class SharedBackendITCase {

    private static final int SUBTASKS = 3;
    private static final int LIMIT = 2;

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(SUBTASKS);

    /** Answers calls in pairs, so that it hangs if there is never a second one. */
    private static final class InPairs implements AsyncBatchFunction<Long, Long> {

        private static final long serialVersionUID = 1L;

        private static final List<Runnable> HELD = new ArrayList<>();
        private static int open;
        private static int mostOpen;

        static synchronized void reset() {
            HELD.clear();
            open = 0;
            mostOpen = 0;
        }

        static synchronized int mostOpen() {
            return mostOpen;
        }

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<Long> future) {
            begin(() -> end(() -> future.complete(rows.stream().map(row -> row * 10).toList())));
        }

        private static synchronized void begin(Runnable answer) {
            open++;
            mostOpen = Math.max(mostOpen, open);
            HELD.add(answer);
            if (HELD.size() == LIMIT) {
                HELD.forEach(CompletableFuture::runAsync);
                HELD.clear();
            }
        }

        private static void end(Runnable answer) {
            synchronized (InPairs.class) {
                open--;
            }
            answer.run();
        }
    }

    @ParameterizedTest
    @EnumSource
    void callsOfAllSubtasksAreLimitedTogether(Ordering ordering) throws Exception {
        InPairs.reset();
        AsyncBatchOptions options =
                Jobs.batchesOf(1)
                        .concurrency(Concurrency.fixed(LIMIT))
                        .backend("pairs")
                        .circuitBreaker(CircuitBreakerOptions.defaults())
                        .retryBudget(RetryBudgetOptions.defaults())
                        .build();
        List<Long> results =
                Jobs.collect(
                        ordering.apply(Jobs.numbers(1, 300), new InPairs(), options)
                                .setParallelism(SUBTASKS));
        assertThat(results)
                .containsExactlyInAnyOrderElementsOf(
                        LongStream.rangeClosed(1, 300).map(row -> row * 10).boxed().toList());
        assertThat(InPairs.mostOpen()).isEqualTo(LIMIT);
    }
}
