package io.asyncbatch.flink.simulation;

import java.util.Optional;
import javax.annotation.Nullable;

/** Runs schedules and finds the smallest that does not hold. Used by one thread. */
final class Simulation {

    /** The schedule of a seed does not hold. */
    record Failure(long seed, int[] choices, Throwable problem) {

        @Override
        public String toString() {
            return "schedule of seed %d does not hold; run it again with: make simulate SEED=%d%n%s"
                    .formatted(seed, seed, problem);
        }
    }

    private final Coverage coverage = new Coverage();

    Coverage coverage() {
        return coverage;
    }

    /** Runs the schedule of a seed. */
    Optional<Failure> run(long seed) {
        Choices choices = Choices.ofSeed(seed);
        Throwable problem = problemOf(choices, new Trace(false), coverage, seed);
        return problem == null
                ? Optional.empty()
                : Optional.of(new Failure(seed, choices.taken(), problem));
    }

    /** A number that differs where schedules do, most likely. */
    static long digest(long seed) {
        Trace trace = new Trace(false);
        problemOf(Choices.ofSeed(seed), trace, new Coverage(), seed);
        return trace.digest();
    }

    @Nullable
    private static Throwable problemOf(Choices choices, Trace trace, Coverage coverage, long seed) {
        try {
            new Schedule(choices, trace, coverage, "backend of schedule " + seed).run();
            return null;
        } catch (Exception | AssertionError | TaskFailed problem) {
            return problem;
        }
    }

    /** A smaller schedule may not hold for another reason, which would explain nothing. */
    private static String kindOf(@Nullable Throwable problem) {
        return String.valueOf(problem).lines().findFirst().orElse("").replaceAll("\\d+", "");
    }

    /**
     * Looks for a smaller schedule that does not hold for the same reason, which takes a while.
     *
     * @return what happens in it, with the failure as its cause
     */
    static AssertionError explain(Failure failure) {
        String kind = kindOf(failure.problem());
        int[] smallest =
                new Shrinker(sequence -> kind.equals(kindOf(replay(failure, sequence))))
                        .shrink(failure.choices());
        Trace trace = new Trace(true);
        Throwable smaller =
                problemOf(Choices.replaying(smallest), trace, new Coverage(), failure.seed());
        String message =
                failure
                        + "%n%nthe smallest such schedule that was found, of %d choices in place of %d:%n%s%n%s%n"
                                .formatted(
                                        smallest.length,
                                        failure.choices().length,
                                        String.join(System.lineSeparator(), trace.lines()),
                                        smaller);
        return new AssertionError(message, smaller);
    }

    @Nullable
    private static Throwable replay(Failure failure, int[] sequence) {
        return problemOf(
                Choices.replaying(sequence), new Trace(false), new Coverage(), failure.seed());
    }
}
