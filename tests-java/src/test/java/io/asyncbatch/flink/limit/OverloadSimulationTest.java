package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.benchmark.overload.Policy;
import io.asyncbatch.flink.benchmark.overload.Simulation;
import io.asyncbatch.flink.benchmark.overload.Trace;
import java.util.Arrays;
import java.util.stream.DoubleStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What {@code make overload} promises, on seeds that it does not use. The backend takes 16 batches
 * of 64 rows at a time, 0.32 s each.
 */
class OverloadSimulationTest {

    /** Of the best fixed number, 16, in the steady trace. */
    private static final double BEST_ROWS_PER_SECOND = 3_126;

    private static final int EVENT_BEGINS = 80;
    private static final int EVENT_ENDS = 140;

    @ParameterizedTest
    @ValueSource(longs = {11, 12, 13})
    void settlesAtTheKnee(long seed) {
        Simulation.Outcome outcome = Simulation.run(Trace.steady(), Policy.adaptive(), seed);
        assertThat(outcome.rowsPerSecond()).isGreaterThan(0.95 * BEST_ROWS_PER_SECOND);
        assertThat(Arrays.stream(outcome.limits()).skip(20)).allMatch(limit -> limit <= 24);
    }

    @ParameterizedTest
    @ValueSource(longs = {11, 12, 13})
    void comesBackFromASlowDown(long seed) {
        Simulation.Outcome outcome = Simulation.run(Trace.slowDown(), Policy.adaptive(), seed);
        assertThat(sum(outcome.failures(), EVENT_BEGINS, EVENT_ENDS))
                .isLessThanOrEqualTo(sum(outcome.calls(), EVENT_BEGINS, EVENT_ENDS) / 100);
        assertThat(sum(outcome.rows(), EVENT_ENDS + 10, EVENT_ENDS + 20))
                .isGreaterThan((long) (10 * 0.95 * BEST_ROWS_PER_SECOND));
    }

    @ParameterizedTest
    @ValueSource(longs = {11, 12, 13})
    void asksLittleOfABackendThatIsAwayAndLosesNothing(long seed) {
        Simulation.Outcome outcome = Simulation.run(Trace.outage(), Policy.adaptive(), seed);
        long normal = 3 * sum(outcome.calls(), EVENT_BEGINS - 20, EVENT_BEGINS);
        assertThat(sum(outcome.calls(), EVENT_BEGINS, EVENT_ENDS)).isLessThanOrEqualTo(normal / 50);
        assertThat(sum(outcome.rows(), EVENT_ENDS + 5, EVENT_ENDS + 15))
                .isGreaterThan((long) (10 * 0.95 * BEST_ROWS_PER_SECOND));
        assertThat(outcome.oldestHeldSeconds()).isLessThan(5);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4, 8})
    void clientsThatKnowNothingOfEachOtherShareFairly(int clients) {
        Simulation.Outcome outcome = Simulation.run(Trace.sharing(clients), Policy.adaptive(), 14);
        assertThat(jain(outcome.rowsOfClients())).isGreaterThan(0.95);
        assertThat(outcome.rowsPerSecond()).isGreaterThan(0.9 * BEST_ROWS_PER_SECOND);
    }

    @ParameterizedTest
    @ValueSource(longs = {11, 12, 13})
    void secondCallsCutTheTail(long seed) {
        Simulation.Outcome plain = Simulation.run(Trace.slowCalls(), Policy.adaptive(), seed);
        Simulation.Outcome hedged =
                Simulation.run(Trace.slowCalls(), Policy.adaptive().hedged(), seed);
        assertThat(hedged.p99Millis()).isLessThan(0.5 * plain.p99Millis());
        assertThat(plain.hedges()).isZero();
        assertThat(extraCalls(hedged)).isBetween(0.03, 0.08);
    }

    /** Where everything is slow nobody knows which call is; where all is taken nothing is sent. */
    @Test
    void secondCallsStayWithinTheBudgetUnderOverload() {
        Policy unlimited = Policy.unlimited().hedged();
        assertThat(extraCalls(Simulation.run(Trace.slowCallsAndOverload(), unlimited, 11)))
                .isBetween(0.01, 0.12);
        Policy adaptive = Policy.adaptive().hedged();
        assertThat(extraCalls(Simulation.run(Trace.slowCallsAndSaturation(), adaptive, 11)))
                .isLessThan(0.01);
    }

    private static double extraCalls(Simulation.Outcome outcome) {
        long calls = Arrays.stream(outcome.calls()).sum();
        return (double) outcome.hedges() / (calls - outcome.hedges());
    }

    @Test
    void theSameSeedGivesTheSameLife() {
        Simulation.Outcome one = Simulation.run(Trace.noisyNeighbour(), Policy.adaptive(), 5);
        Simulation.Outcome same = Simulation.run(Trace.noisyNeighbour(), Policy.adaptive(), 5);
        Simulation.Outcome other = Simulation.run(Trace.noisyNeighbour(), Policy.adaptive(), 6);
        assertThat(same.rows()).isEqualTo(one.rows());
        assertThat(same.calls()).isEqualTo(one.calls());
        assertThat(other.rows()).isNotEqualTo(one.rows());
    }

    /** Without it the targets would say nothing: three times the best is a collapse. */
    @Test
    void theBackendHasAKnee() {
        double atTheKnee = rate(17);
        assertThat(rate(8)).isLessThan(0.6 * atTheKnee);
        assertThat(rate(51)).isLessThan(0.6 * atTheKnee);
    }

    private static double rate(int fixed) {
        return Simulation.run(Trace.steady(), Policy.fixed("fixed", fixed), 1).rowsPerSecond();
    }

    private static long sum(long[] values, int from, int to) {
        return LongStream.of(Arrays.copyOfRange(values, from, to)).sum();
    }

    private static double jain(long[] rows) {
        double sum = LongStream.of(rows).sum();
        double squares =
                DoubleStream.of(Arrays.stream(rows).asDoubleStream().toArray())
                        .map(each -> each * each)
                        .sum();
        return sum * sum / (rows.length * squares);
    }
}
