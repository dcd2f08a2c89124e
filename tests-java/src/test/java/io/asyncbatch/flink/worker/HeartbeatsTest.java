package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class HeartbeatsTest {

    private final AtomicInteger alarms = new AtomicInteger();
    private final Heartbeats heartbeats = new Heartbeats(2_000, alarms::incrementAndGet);

    @Test
    void silenceIsNoticedOnceAndOnlyAfterTheWorkerCouldTellWhatBlocksIt() {
        for (int interval = 0; interval < 6; interval++) {
            heartbeats.count();
        }
        assertThat(alarms).hasValue(0);
        heartbeats.count();
        assertThat(alarms).hasValue(1);
        for (int interval = 0; interval < 20; interval++) {
            heartbeats.count();
        }
        assertThat(alarms).hasValue(1);
    }

    @Test
    void aWorkerThatIsHeardNowAndThenIsNotSilent() {
        for (int interval = 0; interval < 100; interval++) {
            if (interval % 6 == 0) {
                heartbeats.heard();
            }
            heartbeats.count();
        }
        assertThat(alarms).hasValue(0);
    }

    @Test
    void intervalsFitTheTimeoutAndAreNoLongerThanASecond() {
        assertThat(Heartbeats.intervalMillis(60_000)).isEqualTo(1_000);
        assertThat(Heartbeats.intervalMillis(2_000)).isEqualTo(500);
        assertThat(Heartbeats.intervalMillis(1)).isEqualTo(1);
        assertThat(heartbeats.silentIntervalsUntilStalled()).isEqualTo(4 + 3);
    }
}
