package io.asyncbatch.flink.benchmark.overload;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.LongStream;

/**
 * Runs fleets of up to a thousand subtasks and prints what came out as JSON, for {@code
 * benchmarks/scale.py}. There are 32 subtasks, on 8 TaskManagers, for each server.
 */
final class ScaleBenchmark {

    private static final int[] SERVERS = {1, 4, 32};
    private static final int SUBTASKS_OF_A_SERVER = 32;
    private static final int SUBTASKS_OF_A_TASK_MANAGER = 4;
    private static final int BEST_OF_A_SERVER = 16;
    private static final double[] LOADS = {0.8, Trace.ALL_IT_TAKES};
    private static final long SEED = 1;

    private ScaleBenchmark() {}

    /** Who decides how much, and for how many subtasks. */
    private record Arrangement(String called, int subtasksOfALimit, Policy policy) {}

    /** Takes no arguments. */
    public static void main(String[] arguments) {
        Locale.setDefault(Locale.ROOT);
        List<String> runs = new ArrayList<>();
        for (int servers : SERVERS) {
            for (double load : LOADS) {
                Trace trace = Trace.fleet(servers * SUBTASKS_OF_A_SERVER, load);
                for (Arrangement arrangement : arrangements()) {
                    runs.add(run(trace, servers, load, arrangement));
                }
            }
        }
        System.out.println("[" + String.join(", ", runs) + "]");
    }

    private static List<Arrangement> arrangements() {
        int ofATaskManager = BEST_OF_A_SERVER * SUBTASKS_OF_A_TASK_MANAGER / SUBTASKS_OF_A_SERVER;
        return List.of(
                new Arrangement("adaptive, a TaskManager", 4, Policy.adaptive()),
                new Arrangement("adaptive, 16 subtasks", 16, Policy.adaptive()),
                new Arrangement("adaptive, a subtask", 1, Policy.adaptive()),
                new Arrangement("fixed, a TaskManager", 4, Policy.fixed("fixed", ofATaskManager)),
                new Arrangement("fixed, a subtask", 1, Policy.fixed("fixed", 1)));
    }

    private static String run(Trace trace, int servers, double load, Arrangement arrangement) {
        Simulation.Outcome outcome =
                Simulation.run(
                        trace, servers, arrangement.subtasksOfALimit(), arrangement.policy(), SEED);
        int from = (int) trace.measuredFrom();
        return String.format(
                "{\"servers\": %d, \"subtasks\": %d, \"load\": %s, \"limits\": \"%s\", "
                        + "\"rows_per_second\": %.0f, \"of_best\": %.3f, \"p50_ms\": %.0f, "
                        + "\"p99_ms\": %.0f, \"fairness\": %.3f, \"failed\": %.4f, "
                        + "\"limit\": %d}",
                servers,
                trace.clients(),
                load == Trace.ALL_IT_TAKES ? "null" : Double.toString(load),
                arrangement.called(),
                outcome.rowsPerSecond(),
                outcome.rowsPerSecond() / BackendModel.GPU.times(servers).bestRowsPerSecond(),
                outcome.p50Millis(),
                outcome.p99Millis(),
                jain(outcome.rowsOfClients()),
                (double) sum(outcome.failures(), from) / Math.max(1, sum(outcome.calls(), from)),
                outcome.limits()[outcome.limits().length - 1]);
    }

    private static long sum(long[] ofSeconds, int from) {
        return Arrays.stream(ofSeconds).skip(from).sum();
    }

    private static double jain(long[] rows) {
        double sum = LongStream.of(rows).sum();
        double squares = LongStream.of(rows).mapToDouble(each -> (double) each * each).sum();
        return sum * sum / (rows.length * squares);
    }
}
