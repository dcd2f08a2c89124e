package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.java.tuple.Tuple;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;

/** Compares elements by value, also where Java's arrays and Flink's rows do not; stateless. */
final class Elements {

    private record Struct(Class<?> type, RowKind kind, List<Object> fields) {}

    private Elements() {}

    static void assertEqual(List<?> actual, List<?> expected) {
        assertThat(comparable(actual)).isEqualTo(comparable(expected));
    }

    private static Object comparable(Object value) {
        if (value instanceof Row row) {
            List<Object> fields = new ArrayList<>();
            for (int i = 0; i < row.getArity(); i++) {
                fields.add(comparable(row.getField(i)));
            }
            return new Struct(Row.class, row.getKind(), fields);
        }
        if (value instanceof Tuple tuple) {
            List<Object> fields = new ArrayList<>();
            for (int i = 0; i < tuple.getArity(); i++) {
                fields.add(comparable(tuple.getField(i)));
            }
            return new Struct(tuple.getClass(), null, fields);
        }
        if (value instanceof List<?> list) {
            List<Object> items = new ArrayList<>();
            list.forEach(item -> items.add(comparable(item)));
            return items;
        }
        if (value instanceof Map<?, ?> map) {
            Map<Object, Object> entries = new HashMap<>();
            map.forEach((k, v) -> entries.put(comparable(k), comparable(v)));
            return entries;
        }
        if (value != null && value.getClass().isArray()) {
            List<Object> items = new ArrayList<>();
            for (int i = 0; i < Array.getLength(value); i++) {
                items.add(comparable(Array.get(value, i)));
            }
            return new Struct(value.getClass(), null, items);
        }
        return value;
    }
}
