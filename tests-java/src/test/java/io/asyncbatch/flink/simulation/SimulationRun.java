package io.asyncbatch.flink.simulation;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.ThreadLocalRandom;

/** {@code make simulate}: as many schedules as are asked for, from a seed that nobody knows. */
public final class SimulationRun {

    private static final int PROGRESS_EVERY = 1_000;
    private static final int SEEN_ALL_AFTER = 3_000;

    private SimulationRun() {}

    /**
     * @param args how many schedules, and the first seed, which is drawn if there is none
     */
    public static void main(String[] args) {
        long schedules = Long.parseLong(args[0]);
        long first =
                args.length > 1
                        ? Long.parseLong(args[1])
                        : ThreadLocalRandom.current().nextLong(1_000_000_000_000L);
        System.out.printf("%d schedules from seed %d%n", schedules, first);
        Simulation simulation = new Simulation();
        long began = System.nanoTime();
        for (long run = 1; run <= schedules; run++) {
            Optional<Simulation.Failure> failure = simulation.run(first + run - 1);
            if (failure.isPresent()) {
                System.out.printf("%s%n%nlooking for a smaller one%n", failure.get());
                Simulation.explain(failure.get()).printStackTrace(System.out);
                System.exit(1);
            }
            if (run % PROGRESS_EVERY == 0) {
                System.out.printf(
                        "%d schedules hold, %.1f s%n", run, (System.nanoTime() - began) / 1e9);
            }
        }
        System.out.printf("%nwhat they have been through:%n%s", simulation.coverage());
        List<String> missing = simulation.coverage().missing();
        if (schedules >= SEEN_ALL_AFTER && !missing.isEmpty()) {
            System.out.printf("never reached: %s%n", missing);
            System.exit(1);
        }
        System.exit(0);
    }
}
