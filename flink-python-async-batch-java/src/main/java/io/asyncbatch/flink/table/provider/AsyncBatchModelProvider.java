package io.asyncbatch.flink.table.provider;

import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.table.backend.ModelBackend;
import java.util.function.Function;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.functions.AsyncPredictFunction;
import org.apache.flink.table.ml.AsyncPredictRuntimeProvider;
import org.apache.flink.table.ml.ModelProvider;

/** A model, for each call of {@code ML_PREDICT} that names it. Immutable; the planner's thread. */
@Internal
final class AsyncBatchModelProvider implements AsyncPredictRuntimeProvider {

    private final String model;
    private final Function<BatchSettings, ModelBackend<?, ?>> backend;
    private final ReadableConfig options;
    private final ReadableConfig session;

    AsyncBatchModelProvider(
            String model,
            Function<BatchSettings, ModelBackend<?, ?>> backend,
            ReadableConfig options,
            ReadableConfig session) {
        this.model = model;
        this.backend = backend;
        this.options = options;
        this.session = session;
    }

    @Override
    public AsyncPredictFunction createAsyncPredictFunction(Context context) {
        BatchSettings settings =
                new PredictCall(options, context.runtimeConfig(), session).settings();
        return new BatchingPredictFunction<>(model, settings, backend.apply(settings));
    }

    @Override
    public ModelProvider copy() {
        return this;
    }
}
