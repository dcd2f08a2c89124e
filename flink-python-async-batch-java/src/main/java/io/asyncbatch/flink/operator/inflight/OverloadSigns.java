package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.BackendOverload;
import io.asyncbatch.flink.RetryAfter;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.limit.CallResult;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeoutException;
import java.util.function.Predicate;
import javax.annotation.Nullable;
import org.apache.flink.util.ExceptionUtils;

/** What the end of a call says about the backend behind it. Stateless. */
final class OverloadSigns {

    /** Longer than any server that is restarted needs; a mistake must not stop a job for ever. */
    static final Duration LONGEST_PAUSE = Duration.ofMinutes(10);

    private OverloadSigns() {}

    /** A failure that is no sign of overload says nothing: it may not have been a call at all. */
    static CallResult of(@Nullable BatchOutcome<?> outcome) {
        if (outcome instanceof BatchOutcome.Success) {
            return CallResult.SUCCESS;
        }
        if (outcome instanceof BatchOutcome.Retry<?> retry && retry.cause() == null) {
            return CallResult.SUCCESS;
        }
        return cause(outcome).filter(OverloadSigns::isSign).isPresent()
                ? CallResult.DROPPED
                : CallResult.IGNORED;
    }

    /** How long the backend asks to be left alone; 0 if it does not. */
    static long retryAfterNanos(@Nullable BatchOutcome<?> outcome) {
        return cause(outcome)
                .flatMap(OverloadSigns::retryAfter)
                .filter(Predicate.not(Duration::isNegative))
                .map(asked -> asked.compareTo(LONGEST_PAUSE) > 0 ? LONGEST_PAUSE : asked)
                .map(Duration::toNanos)
                .orElse(0L);
    }

    private static Optional<Throwable> cause(@Nullable BatchOutcome<?> outcome) {
        Throwable cause = null;
        if (outcome instanceof BatchOutcome.Retry<?> retry) {
            cause = retry.cause();
        } else if (outcome instanceof BatchOutcome.Failure<?> failure) {
            cause = failure.cause();
        } else if (outcome instanceof BatchOutcome.TooLarge<?> tooLarge) {
            cause = tooLarge.cause();
        }
        return Optional.ofNullable(cause);
    }

    private static boolean isSign(Throwable cause) {
        return retryAfter(cause).isPresent()
                || ExceptionUtils.findThrowable(
                                cause,
                                one ->
                                        one instanceof BackendOverload
                                                || one instanceof TimeoutException
                                                || one instanceof SocketTimeoutException
                                                || one instanceof HttpTimeoutException
                                                || one instanceof SocketException)
                        .isPresent();
    }

    private static Optional<Duration> retryAfter(Throwable cause) {
        return ExceptionUtils.findThrowable(cause, RetryAfter.class::isInstance)
                .flatMap(failure -> ((RetryAfter) failure).retryAfter());
    }
}
