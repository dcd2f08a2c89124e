package io.asyncbatch.flink.limit;

import org.apache.flink.annotation.Internal;

/**
 * Learns on line what a call costs: {@code a + b * size}, in nanoseconds, with a and b at least 0.
 * Owned by one thread at a time.
 *
 * <p>Least squares over all calls seen, in which a call counts the less the more came after it. As
 * long as all batches were of about one size only their mean is known, and {@link #relativeError}
 * says how little that tells about other sizes.
 */
@Internal
public final class BatchCostModel {

    /** Sizes that differ by less than this share of their mean tell nothing about the slope. */
    private static final double LEAST_SPREAD = 0.02;

    private static final double FEWEST_CALLS = 3;

    private final double memory;

    // Sums over calls, each with the weight that time has left it.
    private double weight;
    private double sizes;
    private double nanos;
    private double squaredSizes;
    private double products;
    private double squaredNanos;

    /**
     * @param calls a call counts e times less once so many came after it, at least 1
     */
    public BatchCostModel(int calls) {
        if (calls < 1) {
            throw new IllegalArgumentException("calls to remember must be positive, got " + calls);
        }
        this.memory = Math.exp(-1.0 / calls);
    }

    /** Whether there is anything to predict from. */
    public boolean isReady() {
        return weight >= FEWEST_CALLS - 0.5;
    }

    /**
     * A batch of this size took so long.
     *
     * @param size at least 0
     */
    public void observe(double size, double callNanos) {
        weight = weight * memory + 1;
        sizes = sizes * memory + size;
        nanos = nanos * memory + callNanos;
        squaredSizes = squaredSizes * memory + size * size;
        products = products * memory + size * callNanos;
        squaredNanos = squaredNanos * memory + callNanos * callNanos;
    }

    /** Everything takes so many times as long now, whatever its size. */
    public void scale(double factor) {
        nanos *= factor;
        products *= factor;
        squaredNanos *= factor * factor;
    }

    /** Nanoseconds that a batch of this size is expected to take; 0 before any was seen. */
    public double expectedNanos(double size) {
        return Math.max(0, constantNanos() + slopeNanos() * size);
    }

    /** The part of a call's time that does not depend on its batch, in nanoseconds. */
    public double constantNanos() {
        return Math.max(0, meanNanos() - slopeNanos() * meanSize());
    }

    /** Nanoseconds that each unit of size adds. */
    public double slopeNanos() {
        if (!sizesDiffer()) {
            return 0;
        }
        double free = (products / weight - meanSize() * meanNanos()) / sizeVariance();
        // Below 0, or steeper than a line through the origin, is noise.
        return Math.max(0, Math.min(free, meanNanos() / meanSize()));
    }

    /** Standard deviation of calls around what was expected of them, in nanoseconds. */
    public double deviationNanos() {
        if (weight == 0) {
            return 0;
        }
        double variance = squaredNanos / weight - meanNanos() * meanNanos();
        double slope = slopeNanos();
        return Math.sqrt(Math.max(0, variance - slope * slope * sizeVariance()));
    }

    /**
     * Standard error of {@link #expectedNanos} as a share of it: how much a call of this size that
     * takes another time than expected may be the model's fault.
     */
    public double relativeError(double size) {
        double expected = expectedNanos(size);
        if (!isReady() || expected <= 0) {
            return Double.POSITIVE_INFINITY;
        }
        double away = size - meanSize();
        double deviation = deviationNanos() / expected;
        if (!sizesDiffer()) {
            // All that is known is one size, so half as much again may cost half as much again.
            return Math.max(
                    deviation / Math.sqrt(weight), Math.abs(away) / Math.max(1, meanSize()));
        }
        return deviation * Math.sqrt((1 + away * away / sizeVariance()) / weight);
    }

    private double meanSize() {
        return weight == 0 ? 0 : sizes / weight;
    }

    private double meanNanos() {
        return weight == 0 ? 0 : nanos / weight;
    }

    private double sizeVariance() {
        return weight == 0 ? 0 : Math.max(0, squaredSizes / weight - meanSize() * meanSize());
    }

    private boolean sizesDiffer() {
        double least = LEAST_SPREAD * meanSize();
        return sizeVariance() > least * least && sizeVariance() > 0;
    }
}
