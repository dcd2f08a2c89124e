package io.asyncbatch.flink;

import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.configuration.ConfigOption;
import org.apache.flink.configuration.ConfigOptions;

/**
 * Flink options for spans of batches: of a job's configuration, of {@code flink run -D}, or of the
 * TaskManagers' configuration file. Where spans go is up to Flink's {@code traces.reporters}.
 */
@PublicEvolving
public final class AsyncBatchTraceOptions {

    /**
     * Which share of batches has a span, from 0 (none, the default) to 1 (each). Which batches
     * these are depends on their ids alone; which rows a batch of an id has depends on timing, and
     * is not the same in every run.
     */
    public static final ConfigOption<Double> SAMPLING =
            ConfigOptions.key("async-batch.trace.sampling")
                    .doubleType()
                    .defaultValue(0.0)
                    .withDescription(
                            "Share of batches that have a span in Flink's trace reporters, from 0"
                                    + " to 1. A job's own value comes before that of the"
                                    + " TaskManager.");

    private AsyncBatchTraceOptions() {}
}
