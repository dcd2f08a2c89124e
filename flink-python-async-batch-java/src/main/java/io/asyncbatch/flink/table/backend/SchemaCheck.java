package io.asyncbatch.flink.table.backend;

import java.io.Serializable;
import java.math.BigDecimal;
import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.table.data.DecimalData;
import org.apache.flink.table.types.logical.ArrayType;
import org.apache.flink.table.types.logical.DecimalType;
import org.apache.flink.table.types.logical.LogicalType;
import org.apache.flink.table.types.logical.MapType;
import org.apache.flink.table.types.logical.RowType;
import org.apache.flink.types.Row;

/**
 * Refuses results that a schema does not allow and Flink's conversion takes all the same: nulls
 * where none may be, which would make downstream operators read garbage, and numbers too large for
 * their DECIMAL, which it turns into nulls. Immutable.
 */
@Internal
public final class SchemaCheck implements Serializable {

    private static final long serialVersionUID = 1L;

    private final LogicalType type;

    /**
     * @param type a ROW
     */
    public SchemaCheck(LogicalType type) {
        this.type = type;
    }

    /**
     * @throws IllegalArgumentException naming the column and what it may be, never the value
     */
    public void require(Row row) {
        require(type, row, "");
    }

    private static void require(LogicalType type, @Nullable Object value, String path) {
        if (value == null) {
            if (!type.isNullable()) {
                throw new IllegalArgumentException(
                        "The result's column '%s' is %s, got none"
                                .formatted(path, type.asSummaryString()));
            }
            return;
        }
        switch (type.getTypeRoot()) {
            case ROW -> requireRow((RowType) type, (Row) value, path);
            case ARRAY -> requireArray((ArrayType) type, value, path);
            case MAP -> requireMap((MapType) type, (Map<?, ?>) value, path);
            case DECIMAL -> requireDecimal((DecimalType) type, (BigDecimal) value, path);
            default -> {
                // The bridge has made sure that it is of its class.
            }
        }
    }

    private static void requireRow(RowType type, Row row, String path) {
        List<RowType.RowField> fields = type.getFields();
        for (int i = 0; i < fields.size(); i++) {
            String name = fields.get(i).getName();
            require(
                    fields.get(i).getType(),
                    row.getField(i),
                    path.isEmpty() ? name : path + "." + name);
        }
    }

    private static void requireArray(ArrayType type, Object value, String path) {
        if (value instanceof Object[] elements) {
            for (Object element : elements) {
                require(type.getElementType(), element, path + "[]");
            }
        }
    }

    private static void requireMap(MapType type, Map<?, ?> map, String path) {
        map.forEach(
                (key, value) -> {
                    require(type.getKeyType(), key, path + "{key}");
                    require(type.getValueType(), value, path + "{value}");
                });
    }

    private static void requireDecimal(DecimalType type, BigDecimal value, String path) {
        if (DecimalData.fromBigDecimal(value, type.getPrecision(), type.getScale()) == null) {
            throw new IllegalArgumentException(
                    "The result's column '%s' is %s, got a number with more digits"
                            .formatted(path, type.asSummaryString()));
        }
    }
}
