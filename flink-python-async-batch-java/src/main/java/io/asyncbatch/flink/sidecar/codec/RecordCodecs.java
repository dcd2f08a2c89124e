package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorCodec;
import io.asyncbatch.flink.sidecar.TensorCodecOptions;
import io.asyncbatch.flink.sidecar.TensorField;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/** Builds codecs from the types of records and results; stateless. */
@Internal
public final class RecordCodecs {

    private RecordCodecs() {}

    public static <IN, OUT> TensorCodec<IN, OUT> of(
            TypeInformation<IN> records, TypeInformation<OUT> results, TensorCodecOptions options) {
        return build(
                TypeInformationRecords.of(records), TypeInformationRecords.of(results), options);
    }

    public static TensorCodec<RowData, RowData> of(
            RowType records, RowType results, TensorCodecOptions options) {
        return build(new RowDataRecords(records), new RowDataRecords(results), options);
    }

    private static <IN, OUT> RecordCodec<IN, OUT> build(
            RecordType<IN> records, RecordType<OUT> results, TensorCodecOptions options) {
        List<TensorField> inputs = orAll(options.getInputs(), "input", records, Set.of());
        boolean copies = options.isCopyRecordFields();
        if (copies && (records.fieldNames() == null || results.fieldNames() == null)) {
            throw new IllegalArgumentException(
                    "copyRecordFields needs records and results with fields, they are %s and %s"
                            .formatted(records.description(), results.description()));
        }
        Set<String> copied = copies ? Set.copyOf(records.fieldNames()) : Set.of();
        List<TensorField> outputs = orAll(options.getOutputs(), "output", results, copied);
        requireDistinct("input", inputs);
        requireDistinct("output", outputs);

        List<RecordCodec.Input<IN>> inputColumns = new ArrayList<>();
        for (TensorField field : inputs) {
            int position = position("input", field, records);
            inputColumns.add(
                    new RecordCodec.Input<>(
                            nameOf(field, records),
                            column("input", field, position, records),
                            records.reader(position)));
        }
        List<RecordCodec.Output> outputColumns = new ArrayList<>();
        List<Integer> outputPositions = new ArrayList<>();
        for (TensorField field : outputs) {
            int position = position("output", field, results);
            outputColumns.add(
                    new RecordCodec.Output(
                            nameOf(field, results), column("output", field, position, results)));
            outputPositions.add(position);
        }
        List<String> names = results.fieldNames() == null ? List.of() : results.fieldNames();
        ResultFields<IN> fields =
                new ResultFields<>(
                        names,
                        outputPositions,
                        copies(records, results, names, outputPositions, copies));
        return new RecordCodec<>(inputColumns, outputColumns, results.maker(fields));
    }

    private static List<TensorField> orAll(
            List<TensorField> asked, String role, RecordType<?> type, Set<String> except) {
        List<TensorField> fields = asked;
        if (asked.isEmpty() && type.fieldNames() != null) {
            fields =
                    type.fieldNames().stream()
                            .filter(name -> !except.contains(name))
                            .map(TensorField::of)
                            .toList();
        }
        if (type.fieldNames() == null && fields.size() != 1) {
            throw new IllegalArgumentException(
                    "%s has no fields and needs exactly one %s that names a tensor, got %d"
                            .formatted(type.description(), role, fields.size()));
        }
        if (fields.isEmpty()) {
            throw new IllegalArgumentException(
                    "%s leaves no field to be an %s".formatted(type.description(), role));
        }
        return fields;
    }

    private static void requireDistinct(String role, List<TensorField> fields) {
        Set<String> names = new HashSet<>();
        Set<String> tensors = new HashSet<>();
        for (TensorField field : fields) {
            if (!names.add(field.getName()) || !tensors.add(field.getTensor())) {
                throw new IllegalArgumentException(
                        "%s %s repeats a field or a tensor".formatted(role, field));
            }
        }
    }

    private static int position(String role, TensorField field, RecordType<?> type) {
        if (type.fieldNames() == null) {
            return 0;
        }
        int position = type.fieldNames().indexOf(field.getName());
        if (position < 0) {
            throw new IllegalArgumentException(
                    "%s %s: there is no such field, accepted: %s"
                            .formatted(role, field, type.fieldNames()));
        }
        return position;
    }

    private static ColumnName nameOf(TensorField field, RecordType<?> type) {
        return new ColumnName(
                field.getTensor(), type.fieldNames() == null ? null : field.getName());
    }

    private static Column<?> column(
            String role, TensorField field, int position, RecordType<?> type) {
        try {
            return type.column(position, field);
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    "%s %s: %s".formatted(role, field, e.getMessage()), e);
        }
    }

    private static <IN> List<ResultFields.Copy<IN>> copies(
            RecordType<IN> records,
            RecordType<?> results,
            List<String> names,
            List<Integer> outputs,
            boolean copyRecordFields) {
        List<ResultFields.Copy<IN>> copies = new ArrayList<>();
        for (int i = 0; i < names.size(); i++) {
            if (outputs.contains(i)) {
                continue;
            }
            int source = copyRecordFields ? records.fieldNames().indexOf(names.get(i)) : -1;
            if (source < 0) {
                throw new IllegalArgumentException(
                        "field '%s' of the results is no output%s"
                                .formatted(
                                        names.get(i),
                                        copyRecordFields
                                                ? " and no field of the records"
                                                : ", and copyRecordFields is not set"));
            }
            if (!results.takes(i, records, source)) {
                throw new IllegalArgumentException(
                        "field '%s' cannot be copied: it has another type in the results (%s) than in the records (%s)"
                                .formatted(
                                        names.get(i),
                                        results.description(),
                                        records.description()));
            }
            copies.add(new ResultFields.Copy<>(records.reader(source), i));
        }
        return copies;
    }
}
