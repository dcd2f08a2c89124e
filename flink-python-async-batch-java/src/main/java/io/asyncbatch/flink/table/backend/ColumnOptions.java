package io.asyncbatch.flink.table.backend;

import io.asyncbatch.flink.sidecar.TensorDataType;
import io.asyncbatch.flink.sidecar.TensorField;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.table.api.ValidationException;
import org.apache.flink.table.types.logical.RowType;

/**
 * The options that say what a column is to a model: {@code <prefix><column>.tensor}, {@code
 * .data-type} and {@code .shape}. Stateless.
 */
final class ColumnOptions {

    private static final String TENSOR = ".tensor";
    private static final String DATA_TYPE = ".data-type";
    private static final String SHAPE = ".shape";

    private ColumnOptions() {}

    /** One field for each column, in the columns' order. */
    static List<TensorField> of(String prefix, ReadableConfig options, RowType columns) {
        Map<String, String> given = new TreeMap<>();
        options.toMap()
                .forEach(
                        (key, value) -> {
                            if (key.startsWith(prefix)) {
                                given.put(key, value);
                            }
                        });
        List<TensorField> fields =
                columns.getFieldNames().stream()
                        .map(column -> field(prefix, column, given))
                        .toList();
        if (!given.isEmpty()) {
            throw new ValidationException(
                    "'%s' is not an option of a column: accepted are '%s<column>' with '%s', '%s' or '%s', and the columns are %s"
                            .formatted(
                                    given.keySet().iterator().next(),
                                    prefix,
                                    TENSOR,
                                    DATA_TYPE,
                                    SHAPE,
                                    columns.getFieldNames()));
        }
        return fields;
    }

    private static TensorField field(String prefix, String column, Map<String, String> given) {
        TensorField field = TensorField.of(column);
        String tensor = given.remove(prefix + column + TENSOR);
        if (tensor != null) {
            field = field.tensor(tensor);
        }
        String dataType = given.remove(prefix + column + DATA_TYPE);
        if (dataType != null) {
            field = field.dataType(dataType(prefix + column + DATA_TYPE, dataType));
        }
        String shape = given.remove(prefix + column + SHAPE);
        if (shape != null) {
            field = field.shape(shape(prefix + column + SHAPE, shape));
        }
        return field;
    }

    private static TensorDataType dataType(String key, String value) {
        try {
            return TensorDataType.valueOf(value);
        } catch (IllegalArgumentException e) {
            throw new ValidationException(
                    "'%s' must be one of %s, got '%s'"
                            .formatted(key, Arrays.toString(TensorDataType.values()), value),
                    e);
        }
    }

    private static long[] shape(String key, String value) {
        try {
            return value.isBlank()
                    ? new long[0]
                    : Arrays.stream(value.split(","))
                            .map(String::strip)
                            .mapToLong(Long::parseLong)
                            .toArray();
        } catch (NumberFormatException e) {
            throw new ValidationException(
                    "'%s' must be dimensions such as '3,224,224', got '%s'".formatted(key, value),
                    e);
        }
    }
}
