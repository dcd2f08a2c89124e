package io.asyncbatch.flink.benchmark.overload;

import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * What happens to a backend and its clients over time, in seconds.
 *
 * @param called its name
 * @param clients how many share the backend; each begins {@code stagger} after the one before
 * @param stagger seconds between their beginnings
 * @param measuredFrom figures count from here
 * @param seconds when it ends
 * @param phases what the source does, each from its beginning to that of the next
 * @param slowness what is slower when
 * @param outages when the backend is away
 * @param neighbours who else calls it when, looking at nothing
 * @param stragglers calls that take long for no reason of theirs
 */
@Internal
public record Trace(
        String called,
        int clients,
        double stagger,
        double measuredFrom,
        double seconds,
        List<Phase> phases,
        List<Slowness> slowness,
        List<Span> outages,
        List<Neighbour> neighbours,
        Stragglers stragglers) {

    /** A source that always has a full batch. */
    static final double ALL_IT_TAKES = Double.POSITIVE_INFINITY;

    private static final double MEASURED_FROM = 20;
    private static final double SECONDS = 200;
    private static final List<Phase> SATURATED = List.of(new Phase(0, ALL_IT_TAKES, 1));

    /**
     * @param load rows a second, as a share of what the backend can do; or {@link #ALL_IT_TAKES}
     * @param rowWeight what a row weighs
     */
    record Phase(double from, double load, double rowWeight) {}

    /** So many times as slow. */
    record Slowness(Span span, double factor) {}

    /** Keeps so many full batches in flight. */
    record Neighbour(Span span, int batches) {}

    /** A share of the calls takes so many times as long as it should. */
    record Stragglers(double share, double factor) {
        static final Stragglers NONE = new Stragglers(0, 1);
    }

    /** Seconds from and to. */
    record Span(double from, double to) {}

    /** As much as the backend takes, and nothing happens. */
    public static Trace steady() {
        return single("steady", SATURATED, List.of(), List.of(), List.of());
    }

    /** Little, all it takes, all it takes of rows that weigh twice as much, and back. */
    public static Trace loadSteps() {
        return single(
                "load steps",
                List.of(
                        new Phase(0, 0.4, 1),
                        new Phase(50, ALL_IT_TAKES, 1),
                        new Phase(90, ALL_IT_TAKES, 2),
                        new Phase(130, 0.6, 1),
                        new Phase(160, ALL_IT_TAKES, 1)),
                List.of(),
                List.of(),
                List.of());
    }

    /** Everything takes three times as long for a minute. */
    public static Trace slowDown() {
        return single(
                "slow-down",
                SATURATED,
                List.of(new Slowness(new Span(80, 140), 3)),
                List.of(),
                List.of());
    }

    /** Nothing answers for a minute. */
    public static Trace outage() {
        return single("outage", SATURATED, List.of(), List.of(new Span(80, 140)), List.of());
    }

    /** Somebody else keeps first 12, then 20 batches in flight. */
    public static Trace noisyNeighbour() {
        return single(
                "noisy neighbour",
                SATURATED,
                List.of(),
                List.of(),
                List.of(
                        new Neighbour(new Span(50, 100), 12),
                        new Neighbour(new Span(130, 180), 20)));
    }

    /** Clients that know nothing of each other, one after another. */
    public static Trace sharing(int clients) {
        return new Trace(
                clients + " clients",
                clients,
                5,
                60,
                SECONDS,
                SATURATED,
                List.of(),
                List.of(),
                List.of(),
                Stragglers.NONE);
    }

    /**
     * Many clients that begin within a second.
     *
     * @param load as in {@link Phase}
     */
    public static Trace fleet(int clients, double load) {
        return new Trace(
                "load " + load,
                clients,
                1.0 / clients,
                60,
                120,
                List.of(new Phase(0, load, 1)),
                List.of(),
                List.of(),
                List.of(),
                Stragglers.NONE);
    }

    /** One call of fifty takes eight times as long, of a backend that has time to spare. */
    public static Trace slowCalls() {
        return straggling("slow calls", 0.6, List.of());
    }

    /** The same where there is more to do than the backend can, from 80 s to 140 s. */
    public static Trace slowCallsAndOverload() {
        return straggling("slow calls, overload", 0.6, List.of(new Slowness(new Span(80, 140), 3)));
    }

    /** The same with all that the backend takes. */
    public static Trace slowCallsAndSaturation() {
        return straggling("slow calls, saturated", ALL_IT_TAKES, List.of());
    }

    private static Trace straggling(String called, double load, List<Slowness> slowness) {
        return new Trace(
                called,
                1,
                0,
                MEASURED_FROM,
                SECONDS,
                List.of(new Phase(0, load, 1)),
                slowness,
                List.of(),
                List.of(),
                new Stragglers(0.02, 8));
    }

    /** Those that hedging is judged on. */
    public static List<Trace> withSlowCalls() {
        return List.of(slowCalls(), slowCallsAndOverload(), slowCallsAndSaturation());
    }

    /** The six that peers are compared on. */
    public static List<Trace> all() {
        return List.of(steady(), loadSteps(), slowDown(), outage(), noisyNeighbour(), sharing(4));
    }

    private static Trace single(
            String called,
            List<Phase> phases,
            List<Slowness> slowness,
            List<Span> outages,
            List<Neighbour> neighbours) {
        return new Trace(
                called,
                1,
                0,
                MEASURED_FROM,
                SECONDS,
                phases,
                slowness,
                outages,
                neighbours,
                Stragglers.NONE);
    }

    Phase phaseAt(double second) {
        Phase current = phases.get(0);
        for (Phase phase : phases) {
            if (phase.from() <= second) {
                current = phase;
            }
        }
        return current;
    }
}
