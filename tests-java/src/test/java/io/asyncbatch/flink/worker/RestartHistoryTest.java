package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class RestartHistoryTest {

    private static final Exception DEATH = new IllegalStateException("killed\nits output");

    private long nowMillis;
    private double random = 1;

    private RestartHistory history(int maxRestarts) {
        return new RestartHistory(
                new WorkerRestarts(maxRestarts, 10_000, 100, 1_000),
                () -> nowMillis * 1_000_000,
                () -> random);
    }

    @Test
    void theDelayDoublesUpToItsBound() {
        RestartHistory history = history(100);
        long[] delays = new long[6];
        for (int i = 0; i < delays.length; i++) {
            delays[i] = history.died(DEATH, false).getAsLong();
        }
        assertThat(delays).containsExactly(100, 200, 400, 800, 1_000, 1_000);
    }

    @Test
    void aWorkerThatAnsweredHasTheDelayBeginAnew() {
        RestartHistory history = history(100);
        history.died(DEATH, false);
        history.died(DEATH, false);
        assertThat(history.died(DEATH, true)).hasValue(100);
        assertThat(history.died(DEATH, false)).hasValue(200);
    }

    @Test
    void theDelayIsShortenedByUpToAHalf() {
        random = 0;
        assertThat(history(100).died(DEATH, false)).hasValue(50);
        random = 0.5;
        assertThat(history(100).died(DEATH, false)).hasValue(75);
    }

    @Test
    void moreDeathsThanRestartsWithinTheWindowAreTooMany() {
        RestartHistory history = history(2);
        assertThat(history.died(DEATH, true)).isPresent();
        nowMillis = 5_000;
        assertThat(history.died(DEATH, true)).isPresent();
        nowMillis = 9_999;
        assertThat(history.died(DEATH, true)).isEmpty();
        assertThat(history.describe())
                .isEqualTo("\n- 9999 ms ago: killed\n- 4999 ms ago: killed\n- 0 ms ago: killed");
        nowMillis = 15_001;
        assertThat(history.died(DEATH, true)).as("the first two no longer count").isPresent();
    }

    @Test
    void deathsForEverDoNotOverflow() {
        RestartHistory history = history(Integer.MAX_VALUE);
        OptionalLong last = OptionalLong.empty();
        for (int i = 0; i < 200; i++) {
            last = history.died(new IllegalStateException(), false);
        }
        assertThat(last).hasValue(1_000);
    }

    @Test
    void optionsThatMakeNoSenseAreRefused() {
        assertThatThrownBy(() -> new WorkerRestarts(0, 1, 1, 1))
                .hasMessage("worker_restart: max_restarts must be positive, got 0");
        assertThatThrownBy(() -> new WorkerRestarts(1, 0, 1, 1))
                .hasMessage("worker_restart: window must be positive, got 0");
        assertThatThrownBy(() -> new WorkerRestarts(1, 1, 0, 1))
                .hasMessage("worker_restart: initial_backoff must be positive, got 0");
        assertThatThrownBy(() -> new WorkerRestarts(1, 1, 2, 1))
                .hasMessage(
                        "worker_restart: max_backoff must be at least initial_backoff=2 ms, got 1"
                                + " ms");
    }
}
