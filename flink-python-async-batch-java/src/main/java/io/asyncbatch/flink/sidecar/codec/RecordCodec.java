package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.TensorCodec;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.RandomAccess;
import org.apache.flink.annotation.Internal;

/**
 * A codec that goes by columns: a field a tensor. Immutable, for any thread.
 *
 * @param <IN> type of the records
 * @param <OUT> type of the results
 */
@Internal
public final class RecordCodec<IN, OUT> implements TensorCodec<IN, OUT> {

    private static final long serialVersionUID = 1L;

    private final List<Input<IN>> inputs;
    private final List<Output> outputs;
    private final RecordMaker<IN, OUT> maker;

    record Input<IN>(ColumnName name, Column<?> column, FieldReader<IN> reader)
            implements Serializable {}

    record Output(ColumnName name, Column<?> column) implements Serializable {}

    RecordCodec(List<Input<IN>> inputs, List<Output> outputs, RecordMaker<IN, OUT> maker) {
        this.inputs = List.copyOf(inputs);
        this.outputs = List.copyOf(outputs);
        this.maker = maker;
    }

    /** A codec whose records and results are values of one column each. */
    public static <IN, OUT> RecordCodec<IN, OUT> ofValues(
            String input, Column<?> inputColumn, String output, Column<?> outputColumn) {
        return new RecordCodec<>(
                List.of(
                        new Input<>(
                                new ColumnName(input, null),
                                inputColumn,
                                new FieldReader.Whole<>())),
                List.of(new Output(new ColumnName(output, null), outputColumn)),
                new RecordMaker.Whole<>());
    }

    @Override
    public List<Tensor> encode(List<IN> records) {
        List<IN> indexed = records instanceof RandomAccess ? records : new ArrayList<>(records);
        List<Tensor> tensors = new ArrayList<>(inputs.size());
        for (Input<IN> input : inputs) {
            FieldValues<IN> values = new FieldValues<>(indexed, input.reader(), input.name());
            tensors.add(input.column().encode(input.name(), values));
        }
        return tensors;
    }

    /**
     * @throws UnsupportedOperationException if results hold fields of their records
     */
    @Override
    public List<OUT> decode(List<Tensor> tensors, int records) {
        if (maker.needsRecord()) {
            throw new UnsupportedOperationException(
                    "results that hold fields of their records are decoded with the records");
        }
        List<List<Object>> columns = columns(tensors, records);
        List<OUT> results = new ArrayList<>(records);
        for (int i = 0; i < records; i++) {
            results.add(maker.make(null, valuesAt(columns, i)));
        }
        return results;
    }

    @Override
    public List<OUT> decode(List<Tensor> tensors, List<IN> records) {
        List<List<Object>> columns = columns(tensors, records.size());
        List<OUT> results = new ArrayList<>(records.size());
        for (IN record : records) {
            try {
                results.add(maker.make(record, valuesAt(columns, results.size())));
            } catch (UnfitElementException e) {
                throw new IllegalArgumentException(
                        "record %d: %s".formatted(results.size(), e.getMessage()));
            }
        }
        return results;
    }

    private List<List<Object>> columns(List<Tensor> tensors, int records) {
        List<List<Object>> columns = new ArrayList<>(outputs.size());
        for (Output output : outputs) {
            Tensor tensor = find(output.name(), tensors);
            columns.add(output.column().decode(output.name(), tensor, records));
        }
        return columns;
    }

    private static Tensor find(ColumnName name, List<Tensor> tensors) {
        for (Tensor tensor : tensors) {
            if (tensor.name().equals(name.tensor())) {
                return tensor;
            }
        }
        throw name.outputMisfit(
                "is missing, the model returned %s"
                        .formatted(tensors.stream().map(Tensor::name).toList()));
    }

    private static Object[] valuesAt(List<List<Object>> columns, int index) {
        Object[] values = new Object[columns.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = columns.get(i).get(index);
        }
        return values;
    }

    @Override
    public List<String> outputs() {
        return outputs.stream().map(output -> output.name().tensor()).toList();
    }
}
