package io.asyncbatch.flink.operator.trace;

import io.asyncbatch.flink.AsyncBatchTraceOptions;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.IllegalConfigurationException;
import org.apache.flink.configuration.ReadableConfig;

/**
 * Which batches have a span. Immutable.
 *
 * @param share of all batches, from 0 to 1
 */
@Internal
public record TraceSampling(double share) {

    /** 2^64 over the golden ratio: neighbouring ids come to lie far apart, and evenly. */
    private static final long SPREAD = 0x9E3779B97F4A7C15L;

    public TraceSampling {
        if (!(share >= 0 && share <= 1)) {
            throw new IllegalConfigurationException(
                    AsyncBatchTraceOptions.SAMPLING.key()
                            + " must be a number from 0 to 1, got "
                            + share);
        }
    }

    /**
     * What a configuration asks for.
     *
     * @throws IllegalConfigurationException if it is no number from 0 to 1
     */
    public static TraceSampling of(ReadableConfig configuration) {
        try {
            return new TraceSampling(configuration.get(AsyncBatchTraceOptions.SAMPLING));
        } catch (IllegalConfigurationException outOfRange) {
            throw outOfRange;
        } catch (IllegalArgumentException noNumber) {
            throw new IllegalConfigurationException(
                    AsyncBatchTraceOptions.SAMPLING.key() + " must be a number from 0 to 1",
                    noNumber);
        }
    }

    /** What a job asks for, or the cluster where the job says nothing. */
    public static TraceSampling of(ReadableConfig job, ReadableConfig cluster) {
        return of(job.getOptional(AsyncBatchTraceOptions.SAMPLING).isPresent() ? job : cluster);
    }

    /** Whether any batch has a span. */
    boolean isOn() {
        return share > 0;
    }

    /** Whether this one has. Depends on the id alone, and ids on timing. */
    boolean includes(long batchId) {
        return ((batchId * SPREAD) >>> 11) * 0x1p-53 < share;
    }
}
