package io.asyncbatch.flink;

import io.asyncbatch.flink.limit.RetryBudget;
import java.io.Serializable;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How many calls may be repeated, so that retries never multiply the load of a backend that fails:
 * over the last ten seconds a share of the calls that succeeded in them, and a few more. A retry
 * for which there is nothing left waits, until its batch's deadline if need be.
 *
 * @param share retries a success, from 0 to 1
 * @param reserve retries that any ten seconds may have beyond that, at least 1
 */
@PublicEvolving
public record RetryBudgetOptions(double share, int reserve) implements Serializable {

    /**
     * @throws IllegalArgumentException if a value is out of its range
     */
    public RetryBudgetOptions {
        new RetryBudget(share, reserve);
    }

    /** One retry for ten successes, and ten more. */
    public static RetryBudgetOptions defaults() {
        return ofShare(RetryBudget.DEFAULT_SHARE);
    }

    /** A share, and ten more. */
    public static RetryBudgetOptions ofShare(double share) {
        return new RetryBudgetOptions(share, RetryBudget.DEFAULT_RESERVE);
    }
}
