package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** Against backends that are a formula: calls take their time, times a queue beyond the knee. */
class AdaptiveLimitTest {

    private static final double CALL_SECONDS = 0.1;

    private final AdaptiveLimit limit =
            new AdaptiveLimit(LimitBounds.upTo(200), BatchSizeUnit.ROWS);
    private double seconds;
    private double knee = 20;
    private double slowness = 1;
    private int rows = 64;

    @Test
    void findsTheKneeAndKeepsAShortQueue() {
        live(10);
        assertThat(limit.limit()).isBetween(20, 24);
        assertThat(limit.knee()).isBetween(19.0, 22.0);
    }

    @Test
    void doesNotCreepUpInAnHourOfOverload() {
        live(3_600);
        assertThat(limit.limit()).isBetween(17, 24);
    }

    @Test
    void followsTheKneeDownAndUp() {
        live(10);
        knee = 6;
        live(10);
        assertThat(limit.limit()).isBetween(6, 9);
        knee = 60;
        live(20);
        assertThat(limit.limit()).isBetween(60, 70);
    }

    @Test
    void aSlowerBackendIsNoQueue() {
        live(10);
        slowness = 3;
        live(10);
        assertThat(limit.limit()).isBetween(20, 24);
        slowness = 1;
        live(22);
        assertThat(limit.limit()).isBetween(19, 24);
    }

    @Test
    void smallerBatchesAreNoFasterBackend() {
        live(10);
        for (int size : new int[] {32, 8, 64, 16, 64}) {
            rows = size;
            live(17);
            assertThat(limit.limit()).isBetween(18, 26);
        }
    }

    @Test
    void doesNotGrowWhileItIsNotUsed() {
        live(10);
        int before = limit.limit();
        for (int i = 0; i < 1_000; i++) {
            call(3);
        }
        assertThat(limit.limit()).isBetween(before - 1, before);
    }

    @Test
    void aDropCostsOnceForAllCallsThatWereInFlight() {
        live(10);
        int before = limit.limit();
        drop(before);
        int after = limit.limit();
        assertThat(after).isBetween((int) (before * 0.75), (int) (before * 0.85));
        for (int i = 0; i < before; i++) {
            drop(before);
        }
        assertThat(limit.limit()).isEqualTo(after);
        live(10);
        assertThat(limit.limit()).isBetween(20, 24);
    }

    /** Lives with as many calls in flight as allowed. */
    private void live(double forSeconds) {
        double end = seconds + forSeconds;
        while (seconds < end) {
            call(limit.limit());
        }
    }

    private void call(int inFlight) {
        double ended = seconds + callSeconds(inFlight);
        limit.onCallEnded(
                new EndedCall(
                        CallResult.SUCCESS, nanos(seconds), nanos(ended), rows, rows, inFlight));
        seconds += callSeconds(inFlight) / inFlight;
    }

    /** Times a queue: beyond the knee calls wait for those before them. */
    private double callSeconds(int inFlight) {
        return CALL_SECONDS * (0.2 + 0.8 * rows / 64) * slowness * Math.max(1, inFlight / knee);
    }

    private void drop(int inFlight) {
        limit.onCallEnded(
                new EndedCall(
                        CallResult.DROPPED,
                        nanos(seconds),
                        nanos(seconds + CALL_SECONDS),
                        rows,
                        rows,
                        inFlight));
    }

    private static long nanos(double at) {
        return (long) (at * 1e9);
    }
}
