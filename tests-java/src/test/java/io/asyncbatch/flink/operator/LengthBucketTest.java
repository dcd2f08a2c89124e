package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.CircuitBreakerOptions.WhenOpen;
import io.asyncbatch.flink.Concurrency;
import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.RowGrouping;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Rows that only share a batch with rows of about their weight, which is the row itself. */
@Timeout(60)
class LengthBucketTest {

    private static final RowGrouping<Integer> SHORT_AND_LONG =
            RowGrouping.<Integer>builder().weigh(row -> row).lengthBuckets(9).build();

    private static Settings settings() {
        return Settings.unordered().batchSize(3).batchTimeout(10).timeout(1_000);
    }

    private static OperatorRig<Integer> open(Settings settings) throws Exception {
        return OperatorRig.open(settings, SHORT_AND_LONG);
    }

    @Test
    void shortRowsDoNotWaitBehindLongOnes() throws Exception {
        try (var rig = open(settings())) {
            rig.rows(1, 10, 2, 20, 9);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 9));
            rig.succeed(0);
            assertThat(rig.output()).containsExactly("10", "20", "90");
            rig.rows(30);
            assertThat(rig.invoker.batches()).endsWith(List.of(10, 20, 30));
        }
    }

    @Test
    void noRowWaitsLongerThanTheTimeout() throws Exception {
        try (var rig = open(settings())) {
            rig.rows(10).advance(4).rows(1).advance(6);
            assertThat(rig.invoker.batches()).containsExactly(List.of(10));
            rig.advance(4);
            assertThat(rig.invoker.batches()).containsExactly(List.of(10), List.of(1));
        }
    }

    @Test
    void inEventTimeWatermarksCloseEachBucketInItsTime() throws Exception {
        try (var rig = open(settings().eventTime())) {
            rig.row(10, 100).row(1, 105).watermark(110);
            assertThat(rig.invoker.batches()).containsExactly(List.of(10));
            rig.watermark(115);
            assertThat(rig.invoker.batches()).containsExactly(List.of(10), List.of(1));
        }
    }

    @Test
    void noWatermarkOvertakesARowInAnyBucket() throws Exception {
        try (var rig = open(settings())) {
            rig.row(10, 1).watermark(1).row(1, 2).row(2, 3).row(3, 4).succeed(0);
            assertThat(rig.output()).isEmpty();
            rig.advance(10).succeed(1);
            assertThat(rig.output()).containsExactly("100@1", "W:1", "10@2", "20@3", "30@4");
        }
    }

    /** The only place is held by short rows that wait for a watermark, and that for a long one. */
    @Test
    void whatAllOthersWaitForIsLetThrough() throws Exception {
        try (var rig = open(settings().capacity(1))) {
            rig.row(10, 1).watermark(1).row(1, 2).row(2, 3).row(3, 4);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3));
            rig.succeed(0);
            assertThat(rig.invoker.batches()).containsExactly(List.of(1, 2, 3), List.of(10));
            assertThat(rig.counter("batchesClosedForWaitingRows")).isOne();
            rig.succeed(1);
            assertThat(rig.output()).containsExactly("100@1", "W:1", "10@2", "20@3", "30@4");
            assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
        }
    }

    /**
     * Only places that are taken are a reason: what waits for a backend takes more rows instead.
     */
    @Test
    void aWatermarkClosesNoBucketWhileCallsAreHeldBack() throws Exception {
        Settings breaking =
                settings()
                        .capacity(4)
                        .timeout(60_000)
                        .onFailure(OnFailure.SKIP)
                        .circuitBreaker(Overload.breaker(WhenOpen.BACK_PRESSURE));
        try (var rig = open(breaking)) {
            rig.rows(1, 2, 3, 4, 5, 6);
            for (int call : new int[] {0, 1}) {
                rig.invoker.invocations.get(call).fail(new Overload.Busy());
                rig.runMails();
            }
            assertThat(rig.gauge("circuitBreakerState")).as("open").isEqualTo(1);
            rig.row(10, 1).watermark(1).row(20, 2).watermark(2);
            rig.advance(Overload.PAUSE);
            assertThat(rig.invoker.batches()).endsWith(List.of(10, 20));
        }
    }

    /** What was let through already, and waited for the backend alone, goes then and no other. */
    @Test
    void onlyOneBatchIsLetThroughThoughABackendHeldItBack() throws Exception {
        Settings breaking =
                settings()
                        .capacity(1)
                        .batchTimeout(10_000)
                        .timeout(60_000)
                        .onFailure(OnFailure.SKIP)
                        .concurrency(Concurrency.fixed(4))
                        .backend("held back")
                        .circuitBreaker(Overload.breaker(WhenOpen.BACK_PRESSURE));
        try (var full = open(breaking);
                var other = open(breaking)) {
            full.row(10, 1).watermark(1).row(1, 2).row(2, 3).row(3, 4);
            for (int call : List.of(0, 1)) {
                other.rows(1, 2, 3);
                other.invoker.invocations.get(call).fail(new Overload.Busy());
                other.runMails();
            }
            assertThat(other.gauge("circuitBreakerState")).as("open").isEqualTo(1);
            full.succeed(0);
            full.whileYielding(() -> full.rows(4, 5, 6), () -> full.timers.advance(1));
            assertThat(full.invoker.batches()).containsExactly(List.of(1, 2, 3));

            other.timers.advance(Overload.PAUSE);
            other.rows(4, 5, 6).succeed(2).rows(7, 8, 9).succeed(3);
            assertThat(other.gauge("circuitBreakerState")).as("closed").isEqualTo(0);
            full.watermark(2).runMails();
            assertThat(full.invoker.batches()).containsExactly(List.of(1, 2, 3), List.of(10));
            full.succeed(1);
            assertThat(full.invoker.batches()).endsWith(List.of(10), List.of(4, 5, 6));
        }
    }

    @Test
    void endOfInputClosesAllBuckets() throws Exception {
        try (var rig = open(settings())) {
            rig.rows(10, 1);
            rig.finish();
            assertThat(rig.invoker.batches()).containsExactly(List.of(10), List.of(1));
            assertThat(rig.output()).containsExactlyInAnyOrder("100", "10");
            assertThat(rig.timers.active()).isZero();
        }
    }

    @Test
    void rowsOfAllBucketsAreSavedInTheirOrder() throws Exception {
        try (var rig = open(settings())) {
            rig.row(10, 1).row(1, 2).watermark(2).row(2, 3);
            try (var restored = OperatorRig.restore(settings(), rig.snapshot())) {
                assertThat(restored.invoker.batches()).containsExactly(List.of(10, 1, 2));
                restored.succeed(0);
                assertThat(restored.output()).containsExactly("100@1", "10@2", "W:2", "20@3");
            }
        }
    }

    @Test
    void refusesOrderedResults() {
        assertThatThrownBy(() -> open(Settings.ordered().batchTimeout(10)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("length_buckets needs unordered results, and they are ORDERED");
    }

    @Test
    void refusesToWaitWithoutABound() throws Exception {
        assertThatThrownBy(() -> open(Settings.unordered()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "length_buckets needs a batch_timeout or a latency_target, and has neither");
        open(Settings.unordered().latencyTarget(50)).close();
    }

    @Test
    void refusesBoundsThatAreNone() {
        var builder = RowGrouping.<Integer>builder();
        assertThatThrownBy(() -> builder.lengthBuckets(8, 8))
                .hasMessage("lengthBuckets must be positive and ascending, got [8, 8]");
        assertThatThrownBy(() -> builder.lengthBuckets(0))
                .hasMessage("lengthBuckets must be positive and ascending, got [0]");
        assertThatThrownBy(builder.lengthBuckets(8)::build)
                .hasMessage("lengthBuckets needs weigh, and has none");
    }
}
