package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.function.Function;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;

/** Whatever calls do, a limit stays where it may be. */
class LimitProperties {

    /** What one call does: its end, how long it takes, what it carries and how busy it was. */
    record Step(CallResult result, long nanos, int rows, long bytes, int inFlight) {}

    @Property(tries = 300)
    void everyLimitStaysWithinItsBounds(
            @ForAll("bounds") LimitBounds bounds, @ForAll("steps") List<Step> steps) {
        List<Function<LimitBounds, ConcurrencyLimit>> algorithms =
                List.of(
                        AimdLimit::new,
                        any -> new AdaptiveLimit(any, BatchSizeUnit.ROWS),
                        any -> new AdaptiveLimit(any, BatchSizeUnit.BYTES));
        for (Function<LimitBounds, ConcurrencyLimit> algorithm : algorithms) {
            ConcurrencyLimit limit = algorithm.apply(bounds);
            assertThat(limit.limit()).isEqualTo(bounds.initial());
            long now = 0;
            for (Step step : steps) {
                now += step.nanos() / Math.max(1, step.inFlight());
                limit.onCallEnded(
                        new EndedCall(
                                step.result(),
                                now - step.nanos(),
                                now,
                                step.rows(),
                                step.bytes(),
                                step.inFlight()));
                assertThat(limit.limit()).isBetween(bounds.least(), bounds.most());
            }
        }
    }

    @Property(tries = 200)
    void whatIsIgnoredChangesNothing(
            @ForAll("bounds") LimitBounds bounds, @ForAll("steps") List<Step> steps) {
        for (ConcurrencyLimit limit :
                List.of(new AimdLimit(bounds), new AdaptiveLimit(bounds, BatchSizeUnit.ROWS))) {
            for (Step step : steps) {
                limit.onCallEnded(
                        new EndedCall(
                                CallResult.IGNORED,
                                0,
                                step.nanos(),
                                step.rows(),
                                step.bytes(),
                                step.inFlight()));
                assertThat(limit.limit()).isEqualTo(bounds.initial());
            }
        }
    }

    @Provide
    Arbitrary<LimitBounds> bounds() {
        return Combinators.combine(
                        Arbitraries.integers().between(1, 20),
                        Arbitraries.integers().between(0, 300),
                        Arbitraries.doubles().between(0, 1))
                .as(
                        (least, more, share) ->
                                new LimitBounds(least, least + more, least + (int) (share * more)));
    }

    @Provide
    Arbitrary<List<Step>> steps() {
        Arbitrary<Long> nanos =
                Arbitraries.frequencyOf(
                        Tuple.of(8, Arbitraries.longs().between(1_000, 900_000_000)),
                        Tuple.of(1, Arbitraries.just(0L)),
                        Tuple.of(1, Arbitraries.longs().between(0, 3_600_000_000_000L)));
        return Combinators.combine(
                        Arbitraries.frequency(
                                Tuple.of(8, CallResult.SUCCESS),
                                Tuple.of(1, CallResult.IGNORED),
                                Tuple.of(1, CallResult.DROPPED)),
                        nanos,
                        Arbitraries.integers().between(1, 10_000),
                        Arbitraries.longs().between(0, 1L << 40),
                        Arbitraries.integers().between(1, 500))
                .as(Step::new)
                .list()
                .ofMaxSize(400);
    }
}
