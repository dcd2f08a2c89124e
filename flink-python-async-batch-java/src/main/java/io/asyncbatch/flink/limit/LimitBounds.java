package io.asyncbatch.flink.limit;

import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * Between what an adaptive limit stays. Immutable.
 *
 * @param least fewest calls in flight that it ever allows, at least 1
 * @param most most calls in flight that it ever allows, at least {@code least}
 * @param initial what it begins with, between the two
 */
@Internal
public record LimitBounds(int least, int most, int initial) implements Serializable {

    private static final int USUAL_INITIAL = 4;

    public LimitBounds {
        if (least < 1) {
            throw new IllegalArgumentException("least concurrency must be positive, got " + least);
        }
        if (most < least) {
            throw new IllegalArgumentException(
                    "most concurrency must be at least the least one, " + least + ", got " + most);
        }
        if (initial < least || initial > most) {
            throw new IllegalArgumentException(
                    "initial concurrency must be between "
                            + least
                            + " and "
                            + most
                            + ", got "
                            + initial);
        }
    }

    /** From 1 to {@code most}, beginning with few. */
    public static LimitBounds upTo(int most) {
        return new LimitBounds(1, most, Math.min(USUAL_INITIAL, most));
    }

    double clamp(double limit) {
        return Math.max(least, Math.min(most, limit));
    }
}
