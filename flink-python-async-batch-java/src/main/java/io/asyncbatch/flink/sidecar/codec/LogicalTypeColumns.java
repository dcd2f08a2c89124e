package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.LogicalType;

/**
 * The column of a {@code LogicalType}, whose values are the table runtime's internal ones.
 * Stateless.
 */
final class LogicalTypeColumns {

    static final String SUPPORTED =
            "BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, CHAR, VARCHAR, BINARY, VARBINARY,"
                    + " and ARRAY of these";

    private LogicalTypeColumns() {}

    /** As {@link TypeColumns#of}. */
    static Column<?> of(LogicalType type, TensorDataType dataType, long... shape) {
        List<Container> containers = new ArrayList<>();
        LogicalType inner = type;
        while (inner instanceof ArrayType array) {
            inner = array.getElementType();
            if (!(inner instanceof ArrayType)) {
                Elements<?> primitive = primitive(inner);
                if (primitive != null) {
                    return TypeColumns.ofArrays(
                            primitive, new ArrayDataForm(inner), containers, dataType, shape);
                }
            }
            containers.add(new ArrayDataContainer(inner));
        }
        return switch (inner.getTypeRoot()) {
            case CHAR, VARCHAR ->
                    TypeColumns.ofElements(new StringDataElements(), containers, dataType, shape);
            case BINARY, VARBINARY -> TypeColumns.ofBytes(containers, dataType, shape);
            default -> {
                Elements<?> primitive = primitive(inner);
                if (primitive == null) {
                    throw new IllegalArgumentException(
                            "values of %s have no tensor, supported types: %s"
                                    .formatted(type, SUPPORTED));
                }
                yield TypeColumns.ofElements(primitive, containers, dataType, shape);
            }
        };
    }

    private static Elements<?> primitive(LogicalType type) {
        return switch (type.getTypeRoot()) {
            case BOOLEAN -> new BooleanElements();
            case TINYINT -> new ByteElements();
            case SMALLINT -> new ShortElements();
            case INTEGER -> new IntElements();
            case BIGINT -> new LongElements();
            case FLOAT -> new FloatElements();
            case DOUBLE -> new DoubleElements();
            default -> null;
        };
    }
}
