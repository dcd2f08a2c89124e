package io.asyncbatch.flink;

import java.time.Duration;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;

/**
 * A failure that says when the same call is welcome again. Where a retry strategy has the call of a
 * batch repeated, it is not before that.
 */
@PublicEvolving
public interface RetryAfter {

    /** From now on, never negative; empty if that was not said. */
    Optional<Duration> retryAfter();
}
