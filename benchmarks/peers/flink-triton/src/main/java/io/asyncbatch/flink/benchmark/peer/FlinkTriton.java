package io.asyncbatch.flink.benchmark.peer;

import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.model.triton.TritonInferenceModelFunction;
import org.apache.flink.model.triton.TritonOptions;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.streaming.api.functions.async.RichAsyncFunction;
import org.apache.flink.table.api.DataTypes;
import org.apache.flink.table.api.Schema;
import org.apache.flink.table.catalog.CatalogModel;
import org.apache.flink.table.catalog.Column;
import org.apache.flink.table.catalog.ObjectIdentifier;
import org.apache.flink.table.catalog.ResolvedCatalogModel;
import org.apache.flink.table.catalog.ResolvedSchema;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.data.GenericRowData;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.factories.ModelProviderFactory;
import org.apache.flink.table.functions.FunctionContext;
import org.apache.flink.table.types.DataType;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * The function of Flink's own {@code flink-model-triton}, one request a record, JSON over HTTP.
 *
 * <p>SQL cannot run it as it was released: 2.3.0 turns the check of its columns around, so that it
 * refuses all of them, and keeps a buffer that does not serialize. So it is created here where it
 * runs, with that check left out. What it does for a record is its own.
 */
public final class FlinkTriton extends RichAsyncFunction<float[], Float> {

    private static final long serialVersionUID = 1L;

    private final String endpoint;
    private final String modelName;
    private final String modelVersion;
    private final String input;
    private final String output;

    private transient TritonInferenceModelFunction function;

    /**
     * @param endpoint {@code http://host:port}
     * @param input the model's input, FP32
     * @param output the model's output, FP32, one a record
     */
    public FlinkTriton(
            String endpoint, String modelName, String modelVersion, String input, String output) {
        this.endpoint = endpoint;
        this.modelName = modelName;
        this.modelVersion = modelVersion;
        this.input = input;
        this.output = output;
    }

    @Override
    public void open(OpenContext context) throws Exception {
        Configuration options = new Configuration();
        options.set(TritonOptions.ENDPOINT, endpoint);
        options.set(TritonOptions.MODEL_NAME, modelName);
        options.set(TritonOptions.MODEL_VERSION, modelVersion);
        function = new Unchecked(new Model(), options);
        function.open(new FunctionContext(getRuntimeContext()));
    }

    @Override
    public void asyncInvoke(float[] numbers, ResultFuture<Float> future) {
        function.asyncPredict(GenericRowData.of(new GenericArrayData(numbers)))
                .whenComplete(
                        (rows, failure) -> {
                            if (failure == null) {
                                future.complete(number(rows));
                            } else {
                                future.completeExceptionally(failure);
                            }
                        });
    }

    private static List<Float> number(Collection<RowData> rows) {
        return List.of(rows.iterator().next().getFloat(0));
    }

    @Override
    public void close() throws Exception {
        if (function != null) {
            function.close();
        }
    }

    private static final class Unchecked extends TritonInferenceModelFunction {

        private static final long serialVersionUID = 1L;

        private Unchecked(ModelProviderFactory.Context context, ReadableConfig options) {
            super(context, options);
        }

        @Override
        protected void validateSingleColumnSchema(
                ResolvedSchema schema, LogicalType expected, String role) {
            // What they are is written above.
        }
    }

    /** What a CREATE MODEL statement would say. */
    private final class Model implements ModelProviderFactory.Context {

        @Override
        public ObjectIdentifier getObjectIdentifier() {
            return ObjectIdentifier.of("default_catalog", "default_database", modelName);
        }

        @Override
        public ResolvedCatalogModel getCatalogModel() {
            DataType numbers = DataTypes.ARRAY(DataTypes.FLOAT().notNull());
            return ResolvedCatalogModel.of(
                    CatalogModel.of(
                            Schema.newBuilder().column(input, numbers).build(),
                            Schema.newBuilder().column(output, DataTypes.FLOAT()).build(),
                            Map.of(),
                            null),
                    ResolvedSchema.of(Column.physical(input, numbers)),
                    ResolvedSchema.of(Column.physical(output, DataTypes.FLOAT())));
        }

        @Override
        public ReadableConfig getConfiguration() {
            return new Configuration();
        }

        @Override
        public ClassLoader getClassLoader() {
            return getRuntimeContext().getUserCodeClassLoader();
        }

        @Override
        public boolean isTemporary() {
            return true;
        }
    }
}
