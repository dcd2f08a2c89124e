package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** Reckoned by hand. */
class AimdLimitTest {

    private final AimdLimit limit = new AimdLimit(new LimitBounds(2, 12, 10));

    @Test
    void growsByOneForEachRoundOfAnswers() {
        for (int i = 0; i < 11; i++) {
            end(CallResult.SUCCESS, 0, 1, 10);
        }
        assertThat(limit.limit()).isEqualTo(11);
    }

    @Test
    void doesNotGrowWhileLessThanHalfOfItIsUsed() {
        for (int i = 0; i < 100; i++) {
            end(CallResult.SUCCESS, 0, 1, 4);
        }
        assertThat(limit.limit()).isEqualTo(10);
    }

    @Test
    void shrinksOnceForAllThatWereInFlightTogether() {
        end(CallResult.DROPPED, 0, 5, 10);
        end(CallResult.DROPPED, 1, 6, 10);
        end(CallResult.DROPPED, 4, 7, 10);
        assertThat(limit.limit()).isEqualTo(7);
        end(CallResult.DROPPED, 5, 8, 7);
        assertThat(limit.limit()).isEqualTo(4);
    }

    @Test
    void boundsAreNamed() {
        assertThatThrownBy(() -> new LimitBounds(0, 1, 1)).hasMessageContaining("positive, got 0");
        assertThatThrownBy(() -> new LimitBounds(5, 4, 4)).hasMessageContaining("5, got 4");
        assertThatThrownBy(() -> new LimitBounds(2, 4, 5))
                .hasMessage("initial concurrency must be between 2 and 4, got 5");
        assertThatThrownBy(() -> new FixedLimit(0)).hasMessageContaining("got 0");
    }

    private void end(CallResult result, long started, long ended, int inFlight) {
        limit.onCallEnded(new EndedCall(result, started, ended, 1, 1, inFlight));
    }
}
