package io.asyncbatch.flink.worker;

import javax.annotation.Nullable;
import org.apache.flink.util.ExceptionUtils;

/** Closes what belongs together, whatever of it fails. Stateless. */
final class ThoroughClose {

    private ThoroughClose() {}

    /**
     * Closes each in the order given, whether or not those before succeeded. A task that is being
     * cancelled has been interrupted; that does not cut this short, as every step has a bound of
     * its own, and is made good afterwards.
     *
     * @param steps may hold nulls, for what was never made
     * @throws Exception what the first step that failed threw, the others' suppressed in it
     */
    static void closeAll(@Nullable AutoCloseable... steps) throws Exception {
        boolean interrupted = Thread.interrupted();
        Throwable failure = null;
        for (AutoCloseable step : steps) {
            try {
                if (step != null) {
                    step.close();
                }
            } catch (Throwable t) {
                failure = ExceptionUtils.firstOrSuppressed(t, failure);
            }
            interrupted |= Thread.interrupted();
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (failure != null) {
            ExceptionUtils.rethrowException(failure);
        }
    }
}
