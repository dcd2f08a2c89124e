package io.asyncbatch.flink.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The short form of {@code make simulate}: the same seeds each time, so that what is green stays
 * green until somebody changes something.
 */
class SimulationTest {

    private static final long FIRST_SEED = 1;
    private static final int SCHEDULES = 2_000;

    @Test
    void everyScheduleHolds() {
        Simulation simulation = new Simulation();
        for (long seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed++) {
            simulation
                    .run(seed)
                    .ifPresent(
                            failure -> {
                                throw Simulation.explain(failure);
                            });
        }
        assertThat(simulation.coverage().missing()).as("never reached").isEmpty();
    }

    static LongStream seeds() {
        return LongStream.range(FIRST_SEED, FIRST_SEED + 20);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void aSeedIsAlwaysTheSameSchedule(long seed) {
        assertThat(Simulation.digest(seed)).isEqualTo(Simulation.digest(seed));
    }
}
