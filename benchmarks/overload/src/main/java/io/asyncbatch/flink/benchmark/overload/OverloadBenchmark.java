package io.asyncbatch.flink.benchmark.overload;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.LongStream;

/**
 * Runs every policy through every trace and prints what came out as JSON, for {@code
 * benchmarks/overload.py}.
 */
final class OverloadBenchmark {

    private static final long[] SEEDS = {1, 2, 3, 4, 5};

    private OverloadBenchmark() {}

    /** Takes no arguments. */
    public static void main(String[] arguments) {
        Locale.setDefault(Locale.ROOT);
        List<Double> sweep = new ArrayList<>();
        List<String> sweepLines = new ArrayList<>();
        for (int limit = 1; limit <= Policy.CAPACITY; limit++) {
            Simulation.Outcome outcome =
                    Simulation.run(Trace.steady(), Policy.fixed("sweep", limit), SEEDS[0]);
            sweep.add(outcome.rowsPerSecond() / outcome.p99Millis());
            sweepLines.add(
                    object(
                            List.of(
                                    field("limit", limit),
                                    field("rows_per_second", outcome.rowsPerSecond()),
                                    field("p99_ms", outcome.p99Millis()))));
        }
        int best = 1;
        for (int limit = 2; limit <= Policy.CAPACITY; limit++) {
            if (sweep.get(limit - 1) > sweep.get(best - 1)) {
                best = limit;
            }
        }
        List<String> runs = new ArrayList<>();
        for (Trace trace : Trace.all()) {
            for (Policy policy : policies(best)) {
                for (long seed : SEEDS) {
                    runs.add(run(trace, policy, seed));
                }
            }
        }
        List<String> tails = new ArrayList<>();
        for (Trace trace : Trace.withSlowCalls()) {
            for (Policy policy : List.of(Policy.adaptive(), Policy.unlimited())) {
                for (long seed : SEEDS) {
                    tails.add(tail(trace, policy, seed));
                    tails.add(tail(trace, policy.hedged(), seed));
                }
            }
        }
        System.out.println(
                object(
                        List.of(
                                field("best", best),
                                "\"sweep\": " + array(sweepLines),
                                "\"runs\": " + array(runs),
                                "\"tails\": " + array(tails))));
    }

    private static List<Policy> policies(int best) {
        return List.of(
                Policy.adaptive(),
                Policy.fixed("fixed 1/2", Math.max(1, best / 2)),
                Policy.fixed("fixed 1", best),
                Policy.fixed("fixed 3", 3 * best),
                Policy.aimd(),
                Policy.gradient2(),
                Policy.capacity("capacity 1", best));
    }

    private static String run(Trace trace, Policy policy, long seed) {
        Simulation.Outcome outcome = Simulation.run(trace, policy, seed);
        return object(
                List.of(
                        text("trace", trace.called()),
                        text("policy", policy.called()),
                        field("seed", seed),
                        field("rows_per_second", outcome.rowsPerSecond()),
                        field("p50_ms", outcome.p50Millis()),
                        field("p99_ms", outcome.p99Millis()),
                        field("oldest_held_s", outcome.oldestHeldSeconds()),
                        longs("rows_of_clients", outcome.rowsOfClients()),
                        longs("calls", outcome.calls()),
                        longs("failures", outcome.failures()),
                        longs("rows", outcome.rows()),
                        longs("limits", outcome.limits()),
                        "\"p99_ms_of_second\": "
                                + array(
                                        DoubleStream.of(outcome.p99MillisOfSecond())
                                                .mapToObj(OverloadBenchmark::number)
                                                .toList())));
    }

    private static String tail(Trace trace, Policy policy, long seed) {
        Simulation.Outcome outcome = Simulation.run(trace, policy, seed);
        return object(
                List.of(
                        text("trace", trace.called()),
                        text("policy", policy.called()),
                        field("seed", seed),
                        field("rows_per_second", outcome.rowsPerSecond()),
                        field("p50_ms", outcome.p50Millis()),
                        field("p99_ms", outcome.p99Millis()),
                        field("calls", LongStream.of(outcome.calls()).sum()),
                        field("hedges", outcome.hedges())));
    }

    private static String object(List<String> fields) {
        return fields.stream().collect(Collectors.joining(", ", "{", "}"));
    }

    private static String array(List<String> values) {
        return values.stream().collect(Collectors.joining(", ", "[", "]"));
    }

    private static String text(String name, String value) {
        return "\"" + name + "\": \"" + value + "\"";
    }

    private static String field(String name, double value) {
        return "\"" + name + "\": " + number(value);
    }

    private static String longs(String name, long[] values) {
        return "\""
                + name
                + "\": "
                + array(LongStream.of(values).mapToObj(Long::toString).toList());
    }

    private static String number(double value) {
        return value == Math.rint(value)
                ? Long.toString((long) value)
                : String.format("%.3f", value);
    }
}
