package io.asyncbatch.flink;

import java.io.Serializable;
import java.util.Arrays;
import java.util.Objects;
import java.util.function.Consumer;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.java.functions.KeySelector;

/**
 * Which rows share a batch by what is in them. Immutable; made by a {@link #builder builder}, which
 * refuses a value out of range by the option's name.
 *
 * <pre>{@code
 * RowGrouping<Prompt> grouping =
 *         RowGrouping.<Prompt>builder().weigh(Prompt::tokens, 16_384).build();
 * AsyncDataStream.unorderedWaitBatch(prompts, new Complete(), options, grouping);
 * }</pre>
 *
 * @param <T> type of the rows
 */
@PublicEvolving
public final class RowGrouping<T> implements Serializable {

    private static final long serialVersionUID = 1L;

    @Nullable private final WeightFunction<T> weight;
    private final long maxBatchWeight;
    @Nullable private final KeySelector<T, ?> coalesceKey;
    private final long[] lengthBuckets;

    private RowGrouping(Builder<T> builder) {
        weight = builder.weight;
        maxBatchWeight = builder.maxBatchWeight;
        coalesceKey = builder.coalesceKey;
        lengthBuckets = builder.lengthBuckets;
    }

    /** Rows share batches whatever is in them. */
    public static <T> RowGrouping<T> none() {
        return RowGrouping.<T>builder().build();
    }

    public static <T> Builder<T> builder() {
        return new Builder<>();
    }

    /** Null if rows are not weighed. */
    @Nullable
    public WeightFunction<T> getWeight() {
        return weight;
    }

    /** Most that the rows of a batch may weigh together, where rows are weighed. */
    public long getMaxBatchWeight() {
        return maxBatchWeight;
    }

    /** Null if rows are computed whether or not an equal one is. */
    @Nullable
    public KeySelector<T, ?> getCoalesceKey() {
        return coalesceKey;
    }

    /** Whether batches are runs of neighbouring rows, whatever is in them. */
    @Internal
    public boolean isOfNeighbours() {
        return coalesceKey == null && !hasLengthBuckets();
    }

    @Internal
    public boolean hasLengthBuckets() {
        return lengthBuckets.length > 0;
    }

    /** How many buckets there are, at least 1. */
    @Internal
    public int countBuckets() {
        return lengthBuckets.length + 1;
    }

    /** The bucket of a row of that weight, from 0 for the lightest. */
    @Internal
    public int bucketOf(long rowWeight) {
        int bucket = 0;
        while (bucket < lengthBuckets.length && rowWeight > lengthBuckets[bucket]) {
            bucket++;
        }
        return bucket;
    }

    /** Hands over all functions, to be cleaned and checked before they travel. */
    @Internal
    public void forEachFunction(Consumer<Object> action) {
        if (weight != null) {
            action.accept(weight);
        }
        if (coalesceKey != null) {
            action.accept(coalesceKey);
        }
    }

    /** Collects options. Not thread-safe. */
    public static final class Builder<T> {

        @Nullable private WeightFunction<T> weight;
        private long maxBatchWeight = Long.MAX_VALUE;

        @Nullable private KeySelector<T, ?> coalesceKey;

        private long[] lengthBuckets = {};

        private Builder() {}

        /**
         * A batch closes before the row that would take it past {@code maxBatchWeight}. A row that
         * is heavier by itself is a batch of its own. Bounds in rows and bytes stay in force.
         *
         * @param maxBatchWeight at least 1
         */
        public Builder<T> weigh(WeightFunction<T> weight, long maxBatchWeight) {
            this.weight = Objects.requireNonNull(weight, "weigh");
            if (maxBatchWeight < 1) {
                throw new IllegalArgumentException(
                        "maxBatchWeight must be positive, got " + maxBatchWeight);
            }
            this.maxBatchWeight = maxBatchWeight;
            return this;
        }

        /** Weighs rows for {@link #lengthBuckets} alone, with no bound to a batch's weight. */
        public Builder<T> weigh(WeightFunction<T> weight) {
            return weigh(weight, Long.MAX_VALUE);
        }

        /**
         * Only rows of about the same weight share a batch, so that short ones are not padded to
         * long ones, nor wait for them. For unordered results, and only with a {@code batchTimeout}
         * or a {@code latencyTarget}: they bound how long a row of a rare length waits for others.
         *
         * @param upperBounds the most that rows of a bucket weigh, ascending, each at least 1;
         *     heavier ones are in a bucket more
         */
        public Builder<T> lengthBuckets(long... upperBounds) {
            for (int i = 0; i < upperBounds.length; i++) {
                if (upperBounds[i] < 1 || i > 0 && upperBounds[i] <= upperBounds[i - 1]) {
                    throw new IllegalArgumentException(
                            "lengthBuckets must be positive and ascending, got "
                                    + Arrays.toString(upperBounds));
                }
            }
            lengthBuckets = upperBounds.clone();
            return this;
        }

        /**
         * Rows with equal keys are computed once as long as one of them is in flight or waits in a
         * batch: the others wait for it, take a copy of its result, or share its failure if that is
         * the row's own. Where its outcome says nothing of them, after a deadline or when a call
         * for several rows failed, they are computed themselves. They count as rows in flight: once
         * there are {@code capacity * batchSize} of them, input is held back.
         *
         * @param key in the task's thread, once for a row and again after a restore; quick, and the
         *     same whenever the results are. Null for a row that is equal to no other; otherwise
         *     bytes, or a value whose {@code equals} and {@code hashCode} look at its content. What
         *     it throws fails the task
         */
        public Builder<T> coalesceKey(KeySelector<T, ?> key) {
            coalesceKey = Objects.requireNonNull(key, "coalesceKey");
            return this;
        }

        /**
         * @throws IllegalArgumentException if there are buckets, and rows are not weighed
         */
        public RowGrouping<T> build() {
            if (lengthBuckets.length > 0 && weight == null) {
                throw new IllegalArgumentException("lengthBuckets needs weigh, and has none");
            }
            return new RowGrouping<>(this);
        }
    }
}
