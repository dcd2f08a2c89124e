package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.AsyncBatchTraceOptions;
import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.LongStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.traces.Span;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The spans of batches: what they say, of which batches, and that they are off by default. */
@Timeout(60)
class TraceTest {

    private static Configuration sampling(Object share) {
        return Configuration.fromMap(
                Map.of(AsyncBatchTraceOptions.SAMPLING.key(), share.toString()));
    }

    private static OperatorRig<Integer> traced(Settings settings) throws Exception {
        // A span that began at 0 would be one that began now.
        return OperatorRig.open(settings, sampling(1)).advance(1);
    }

    @Test
    void offByDefault() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered())) {
            rig.rows(1, 2).succeed(0);
            assertThat(rig.output()).isNotEmpty();
            assertThat(rig.spans).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource
    void tellsOfEveryPhase(OutputMode mode) throws Exception {
        try (var rig = traced(Settings.of(mode).batchSize(2).capacity(4))) {
            rig.rows(3).advance(7).rows(4).advance(40).succeed(0);
            Span span = only(rig);
            assertThat(span.getName()).isEqualTo("AsyncBatch");
            assertThat(span.getScope()).isEqualTo("io.asyncbatch.flink.operator.trace.BatchTraces");
            assertThat(span.getAttributes())
                    .containsEntry("batchId", 1L)
                    .containsEntry("rows", 2L)
                    .containsEntry("bytes", 7L)
                    .containsEntry("ordering", mode.name().toLowerCase(Locale.ROOT))
                    .containsEntry("outcome", "success")
                    .containsEntry("rowsWithoutResult", 0L)
                    .containsEntry("calls", 1L)
                    .containsEntry("retries", 0L)
                    .containsEntry("workersLost", 0L)
                    .containsEntry("formMs", 7.0)
                    .containsEntry("queueMs", 0.0)
                    .containsEntry("permitWaitMs", 0.0)
                    .containsEntry("callMs", 40.0);
            assertThat(phases(span)).containsExactly("Form 7", "Queue 0", "Call 40", "Emit 0");
            assertThat(span.getEndTsMillis() - span.getStartTsMillis()).isEqualTo(47);
            assertThat(span.getChildren().get(2).getAttributes())
                    .containsEntry("attempt", 1L)
                    .containsEntry("rows", 2L)
                    .containsEntry("outcome", "success");
        }
    }

    @Test
    void resultsThatWaitForOthersArePartOfTheBatch() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(1).capacity(2))) {
            rig.rows(1).rows(2).advance(5).succeed(1).advance(8).succeed(0);
            assertThat(rig.spans).hasSize(2);
            assertThat(phases(rig.spans.get(1)))
                    .containsExactly("Form 0", "Queue 0", "Call 5", "Emit 8");
        }
    }

    @Test
    void waitingForASlotIsTold() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(1).capacity(1))) {
            rig.rows(1);
            rig.mail(
                    () -> {
                        rig.timers.advance(5);
                        rig.invoker.invocations.get(0).succeed();
                    });
            rig.rows(2).succeed(1);
            assertThat(rig.spans.get(1).getAttributes()).containsEntry("queueMs", 5.0);
        }
    }

    @Test
    void waitingForAPermitIsTold() throws Exception {
        Settings settings =
                Settings.ordered().batchSize(1).capacity(4).concurrency(Concurrency.fixed(1));
        try (var rig = traced(settings)) {
            rig.rows(1);
            rig.mail(
                    () -> {
                        rig.timers.advance(9);
                        rig.invoker.invocations.get(0).succeed();
                    });
            rig.rows(2).succeed(1);
            assertThat(rig.spans.get(0).getAttributes()).containsEntry("permitWaitMs", 0.0);
            assertThat(rig.spans.get(1).getAttributes()).containsEntry("permitWaitMs", 9.0);
        }
    }

    @Test
    void whatADeadlineEndedIsNoWaitOfALaterCall() throws Exception {
        Settings settings =
                Settings.unordered().batchSize(1).capacity(4).concurrency(Concurrency.fixed(1));
        try (var rig = traced(settings)) {
            rig.rows(1);
            rig.invoker.invocations.get(0).retry(10);
            // The second row takes the permit, so that the retry waits from 10 ms to the deadline.
            rig.runMails().advance(5).rows(2).advance(5).advance(990);
            assertThat(rig.invoker.timeouts).hasSize(1);
            rig.invoker.killWorker();
            rig.runMails().advance(7);
            rig.invoker.ready.complete(null);
            rig.runMails().advance(3);
            assertThat(rig.invoker.batches().get(2)).containsExactly(2);
            rig.succeed(2).succeed(3);
            Span span = rig.spans.get(1);
            assertThat(span.getAttributes())
                    .containsEntry("batchId", 1L)
                    .containsEntry("outcome", "timeout")
                    .containsEntry("permitWaitMs", 990.0 + 3);
            assertThat(phases(span))
                    .containsExactly(
                            "Form 0", "Queue 0", "Call 0", "TimeoutHandler 0", "Call 0", "Emit 0");
            assertThat(span.getChildren().get(4).getAttributes())
                    .containsEntry("permitWaitMs", 3.0);
        }
    }

    @Test
    void waitingForAWorkerIsNoWaitForAPermit() throws Exception {
        Settings settings =
                Settings.ordered().batchSize(1).capacity(4).concurrency(Concurrency.fixed(1));
        try (var rig = traced(settings)) {
            rig.rows(1);
            rig.mail(
                    () -> {
                        rig.timers.advance(9);
                        rig.invoker.killWorker();
                        rig.mail(
                                () -> {
                                    rig.timers.advance(20);
                                    rig.invoker.ready.complete(null);
                                    rig.mail(
                                            () -> {
                                                rig.timers.advance(4);
                                                rig.invoker.invocations.get(1).succeed();
                                            });
                                });
                    });
            rig.rows(2).runMails().succeed(2);
            assertThat(rig.spans.get(1).getAttributes())
                    .containsEntry("queueMs", 33.0)
                    .containsEntry("permitWaitMs", 9.0 + 4);
        }
    }

    @Test
    void waitingForACallThatIsRefusedInTheEndIsTold() throws Exception {
        Settings settings =
                Settings.ordered()
                        .batchSize(1)
                        .capacity(4)
                        .onFailure(OnFailure.SKIP)
                        .concurrency(Concurrency.fixed(1))
                        .circuitBreaker(Overload.breaker(WhenOpen.FAIL_FAST));
        try (var rig = traced(settings)) {
            rig.rows(1);
            rig.invoker.invocations.get(0).fail(new Overload.Busy());
            rig.runMails().rows(2);
            rig.mail(
                    () -> {
                        rig.timers.advance(6);
                        rig.invoker.invocations.get(1).fail(new Overload.Busy());
                    });
            rig.rows(3).runMails();
            assertThat(rig.invoker.invocations).hasSize(2);
            assertThat(rig.spans.get(2).getAttributes())
                    .containsEntry("calls", 0L)
                    .containsEntry("outcome", "failed")
                    .containsEntry("permitWaitMs", 6.0);
        }
    }

    @Test
    void everyAttemptIsACall() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(1))) {
            rig.rows(1).advance(3);
            rig.invoker.invocations.get(0).retry(100);
            rig.runMails().advance(100).advance(4).succeed(1);
            Span span = only(rig);
            assertThat(span.getAttributes())
                    .containsEntry("outcome", "retried")
                    .containsEntry("calls", 2L)
                    .containsEntry("retries", 1L)
                    .containsEntry("callMs", 7.0);
            assertThat(phases(span))
                    .containsExactly("Form 0", "Queue 0", "Call 3", "Call 4", "Emit 0");
            assertThat(span.getChildren().get(2).getAttributes()).containsEntry("outcome", "retry");
            assertThat(span.getChildren().get(3).getAttributes())
                    .containsEntry("attempt", 2L)
                    .containsEntry("outcome", "success");
        }
    }

    @Test
    void aTimeoutEndsTheCallAndAsksTheHandler() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(1))) {
            rig.rows(1).advance(1_000).advance(6);
            rig.invoker.timeouts.get(0).succeed();
            rig.runMails();
            Span span = only(rig);
            assertThat(span.getAttributes()).containsEntry("outcome", "timeout");
            assertThat(phases(span))
                    .containsExactly(
                            "Form 0", "Queue 0", "Call 1000", "TimeoutHandler 6", "Emit 0");
            assertThat(span.getChildren().get(2).getAttributes())
                    .containsEntry("outcome", "timeout");
        }
    }

    @Test
    void aBatchThatFailsTheTaskIsTold() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(1))) {
            rig.rows(1).advance(2);
            rig.invoker.invocations.get(0).fail(new IllegalStateException("no"));
            assertThatThrownBy(rig::runMails).hasMessageContaining("no");
            assertThat(only(rig).getAttributes()).containsEntry("outcome", "failed");
            assertThat(phases(only(rig))).containsExactly("Form 0", "Queue 0", "Call 2");
        }
    }

    @Test
    void aBatchWhoseInvokerBreaksIsTold() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(1))) {
            rig.invoker.failureOfCalls = new IllegalStateException("broken");
            assertThatThrownBy(() -> rig.rows(1).runMails()).hasMessageContaining("broken");
            assertThat(only(rig).getAttributes()).containsEntry("outcome", "failed");
        }
    }

    @Test
    void rowsWithoutAResultAreCounted() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(3).onFailure(OnFailure.SKIP))) {
            rig.rows(1, 2, 3);
            rig.invoker.invocations.get(0).failRows(new IllegalStateException("no"), 1);
            rig.runMails().rows(4, 5, 6);
            rig.invoker.invocations.get(1).fail(new IllegalStateException("no"));
            rig.runMails();
            assertThat(rig.spans.get(0).getAttributes())
                    .containsEntry("rowsWithoutResult", 1L)
                    .containsEntry("outcome", "success");
            assertThat(rig.spans.get(0).getChildren().get(2).getAttributes())
                    .containsEntry("outcome", "partial");
            assertThat(rig.spans.get(1).getAttributes())
                    .containsEntry("rowsWithoutResult", 3L)
                    .containsEntry("outcome", "failed");
        }
    }

    @Test
    void aCallWhoseRowsFailedEarlyIsNoSuccess() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(2).onFailure(OnFailure.SKIP))) {
            // All rows come early, so that the batch is done before the call ends.
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).failRowEarly(new IllegalStateException("no"), 0);
            rig.invoker.invocations.get(0).yieldRows(1);
            // One does, and the call returns the other.
            rig.runMails().rows(3, 4);
            rig.invoker.invocations.get(1).failRowEarly(new IllegalStateException("no"), 0);
            rig.runMails();
            rig.invoker.invocations.get(1).succeed(List.of(40));
            rig.runMails().rows(5, 6);
            rig.invoker.invocations.get(2).yieldRows(0, 1);
            rig.runMails();
            assertThat(rig.spans)
                    .extracting(span -> span.getChildren().get(2).getAttributes().get("outcome"))
                    .containsExactly("partial", "partial", "success");
        }
    }

    @Test
    void aLostWorkerIsTold() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(1))) {
            rig.rows(1).advance(2);
            rig.invoker.invocations.get(0).lose(1);
            rig.runMails().advance(3).succeed(1);
            Span span = only(rig);
            assertThat(span.getAttributes())
                    .containsEntry("workersLost", 1L)
                    .containsEntry("calls", 2L);
            assertThat(span.getChildren().get(2).getAttributes())
                    .containsEntry("outcome", "worker_lost");
        }
    }

    @Test
    void aBatchThatIsTooLargeIsTold() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(2).isolating())) {
            rig.rows(1, 2);
            rig.invoker
                    .invocations
                    .get(0)
                    .report(BatchOutcome.tooLarge(new IllegalStateException("large")));
            rig.runMails().succeed(1).succeed(2);
            Span span = only(rig);
            assertThat(span.getAttributes()).containsEntry("calls", 3L);
            assertThat(span.getChildren().get(2).getAttributes())
                    .containsEntry("outcome", "too_large");
            assertRepeated(span, 0);
        }
    }

    private static void assertRepeated(Span span, long retries) {
        assertThat(span.getAttributes())
                .containsEntry("retries", retries)
                .containsEntry("outcome", retries == 0 ? "success" : "retried");
    }

    @Test
    void halvesOfACallThatFailedAreNoRetries() throws Exception {
        Settings settings =
                Settings.ordered().batchSize(2).isolating().onFailure(OnFailure.DEAD_LETTER);
        try (var rig = traced(settings)) {
            rig.rows(1, 2);
            rig.invoker.invocations.get(0).fail(new IllegalStateException("no"));
            rig.runMails().succeed(1).succeed(2);
            assertRepeated(only(rig), 0);
        }
    }

    @Test
    void aHalfThatIsRepeatedIsARetry() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(2).isolating())) {
            rig.rows(1, 2);
            rig.invoker
                    .invocations
                    .get(0)
                    .report(BatchOutcome.tooLarge(new IllegalStateException("large")));
            rig.runMails();
            rig.invoker.invocations.get(1).retry(5);
            rig.runMails().advance(5).succeed(2).succeed(3);
            assertThat(only(rig).getAttributes()).containsEntry("calls", 4L);
            assertRepeated(only(rig), 1);
            assertThat(rig.counter("batchRetryCount")).isEqualTo(1);
        }
    }

    @Test
    void whatAWorkersDeathTookAlongIsNoRetry() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(1))) {
            rig.rows(1);
            rig.invoker.invocations.get(0).lose(1);
            rig.runMails().succeed(1);
            assertRepeated(only(rig), 0);
        }
    }

    @Test
    void aCallThatGaveAllItsRowsIsNotRepeatedWhateverItReports() throws Exception {
        try (var rig = traced(Settings.ordered().batchSize(2).isolating())) {
            rig.rows(1, 2);
            rig.invoker
                    .invocations
                    .get(0)
                    .report(BatchOutcome.tooLarge(new IllegalStateException("large")));
            rig.runMails();
            rig.invoker.invocations.get(1).yieldRows(0);
            rig.invoker.invocations.get(1).retry(5);
            rig.runMails().succeed(2);
            assertRepeated(only(rig), 0);
            assertThat(only(rig).getChildren().get(3).getAttributes())
                    .containsEntry("outcome", "success");
        }
    }

    /** Rows, results and what functions raise may be secret, and go to another system. */
    @Test
    void noRowAndNoErrorIsInASpan() throws Exception {
        int secret = 918_273_645;
        try (var rig =
                traced(Settings.ordered().batchSize(1).maxBytes(4).onFailure(OnFailure.SKIP))) {
            rig.rows(secret);
            rig.invoker.invocations.get(0).retry(1);
            rig.runMails().advance(1);
            rig.invoker.invocations.get(1).fail(new IllegalStateException("password " + secret));
            rig.runMails();
            Span span = only(rig);
            List<Object> told = new ArrayList<>(span.getAttributes().values());
            span.getChildren().forEach(child -> told.addAll(child.getAttributes().values()));
            // The test's weigher takes a row's value for its size.
            told.remove(Long.valueOf(secret));
            assertThat(told.toString()).doesNotContain("" + secret).doesNotContain("password");
        }
    }

    @Test
    void theSameIdsInEveryRunAndAsManyAsWereAskedFor() throws Exception {
        List<Object> first = sampledIds();
        assertThat(sampledIds()).isEqualTo(first);
        assertThat(first).hasSizeBetween(95, 105);
        assertThat(first).isNotEqualTo(LongStream.rangeClosed(1, first.size()).boxed().toList());
    }

    private static List<Object> sampledIds() throws Exception {
        try (var rig = OperatorRig.open(Settings.ordered().batchSize(1), sampling(0.1))) {
            rig.invoker.answersAtOnce = true;
            for (int row = 0; row < 1_000; row++) {
                rig.rows(row).runMails();
            }
            return rig.spans.stream().map(span -> span.getAttributes().get("batchId")).toList();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"-0.1", "1.1", "NaN", "often"})
    void anImpossibleShareIsRefused(String share) {
        assertThatThrownBy(() -> OperatorRig.open(Settings.ordered(), sampling(share)))
                .isInstanceOf(IllegalConfigurationException.class)
                .hasMessageContaining("async-batch.trace.sampling must be a number from 0 to 1");
    }

    private static Span only(OperatorRig<?> rig) {
        assertThat(rig.spans).hasSize(1);
        return rig.spans.get(0);
    }

    private static List<String> phases(Span span) {
        return span.getChildren().stream()
                .map(
                        child ->
                                child.getName()
                                        + " "
                                        + (child.getEndTsMillis() - child.getStartTsMillis()))
                .toList();
    }
}
