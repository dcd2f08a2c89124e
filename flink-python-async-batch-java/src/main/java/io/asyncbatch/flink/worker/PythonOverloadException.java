package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.BackendOverload;
import io.asyncbatch.flink.RetryAfter;
import io.asyncbatch.flink.proto.Failure;
import java.time.Duration;
import java.util.Optional;
import javax.annotation.Nullable;
import org.apache.flink.annotation.PublicEvolving;

/** The Python function said that what it calls has too much to do, or is not there. */
@PublicEvolving
public final class PythonOverloadException extends PythonBatchException
        implements BackendOverload, RetryAfter {

    private static final long serialVersionUID = 1L;

    /** More is no request to wait, but a mistake. */
    private static final long LONGEST_RETRY_AFTER_MILLIS = Duration.ofDays(1).toMillis();

    @Nullable private final Duration retryAfter;

    PythonOverloadException(String what, Failure failure) {
        super(what, failure);
        this.retryAfter = failure.hasRetryAfterMillis() ? retryAfter(failure) : null;
    }

    private static Duration retryAfter(Failure failure) {
        long millis = failure.getRetryAfterMillis();
        return Duration.ofMillis(
                Long.compareUnsigned(millis, LONGEST_RETRY_AFTER_MILLIS) > 0
                        ? LONGEST_RETRY_AFTER_MILLIS
                        : millis);
    }

    /** When the call is welcome again, at most a day; empty if the function did not say. */
    @Override
    public Optional<Duration> retryAfter() {
        return Optional.ofNullable(retryAfter);
    }
}
