package io.asyncbatch.flink.table.provider;

import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.emission.SupportedFlink;
import io.asyncbatch.flink.table.backend.ModelBackend;
import io.asyncbatch.flink.table.gather.RowGatherer;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.functions.AsyncPredictFunction;
import org.apache.flink.table.functions.FunctionContext;

/**
 * What {@code ML_PREDICT} calls for each row: hands the row to the subtask's gatherer, whose thread
 * gives the result. Called by the task's thread. Public because generated code calls it.
 *
 * @param <IN> type of the backend's inputs
 * @param <OUT> type of the backend's outputs
 */
@Internal
public final class BatchingPredictFunction<IN, OUT> extends AsyncPredictFunction {

    private static final long serialVersionUID = 1L;

    private final String model;
    private final BatchSettings settings;
    private final ModelBackend<IN, OUT> backend;
    @Nullable private transient RowGatherer<IN, OUT> gatherer;

    BatchingPredictFunction(String model, BatchSettings settings, ModelBackend<IN, OUT> backend) {
        this.model = model;
        this.settings = settings;
        this.backend = backend;
    }

    /** Where the function is to run, whose Flink need not be that of the planner. */
    private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
        SupportedFlink.require();
        in.defaultReadObject();
    }

    @Override
    public void open(FunctionContext context) throws Exception {
        backend.inputs().open(context.getUserCodeClassLoader());
        backend.outputs().open(context.getUserCodeClassLoader());
        gatherer =
                new RowGatherer<>(
                        model, settings, backend.invokerFactory(), backend.weigher(), context);
        gatherer.open();
    }

    @Override
    public CompletableFuture<Collection<RowData>> asyncPredict(RowData inputRow) {
        return gatherer.submit(backend.inputs().toExternal(inputRow))
                .thenApply(result -> List.of(backend.outputs().toInternal(result)));
    }

    @Override
    public void close() {
        if (gatherer != null) {
            gatherer.close();
        }
    }
}
