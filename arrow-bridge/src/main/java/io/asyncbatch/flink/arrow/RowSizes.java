package io.asyncbatch.flink.arrow;

import io.asyncbatch.flink.arrow.ElementType.Mapping;
import io.asyncbatch.flink.arrow.ElementType.RowOf;
import io.asyncbatch.flink.arrow.ElementType.Scalar;
import io.asyncbatch.flink.arrow.ElementType.Sequence;
import io.asyncbatch.flink.arrow.ElementType.TupleOf;
import java.io.Serializable;
import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToLongFunction;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple;
import org.apache.flink.types.Row;

/**
 * Estimates how many bytes an element adds to a record batch; stateless, for any thread. Values
 * that do not fit their type count nothing: the writer refuses them.
 */
@Internal
public final class RowSizes {

    private static final int OFFSET_BYTES = 4;

    private RowSizes() {}

    /**
     * A serializable estimator, constant for types of fixed width.
     *
     * @throws UnsupportedElementTypeException if the type has no Arrow form
     */
    public static <T> ToLongFunction<T> estimator(TypeInformation<T> type) {
        return new Estimator<>(ElementTypes.of(type));
    }

    private static final class Estimator<T> implements ToLongFunction<T>, Serializable {

        private static final long serialVersionUID = 1L;

        private final ElementType type;
        private final long fixedBytes;

        Estimator(ElementType type) {
            this.type = type;
            this.fixedBytes = fixedBytes(type);
        }

        @Override
        public long applyAsLong(T element) {
            return fixedBytes >= 0 ? fixedBytes : bytesOf(type, element);
        }
    }

    /** Bytes of every value of the type, or -1 if values differ. */
    private static long fixedBytes(ElementType type) {
        if (type instanceof Scalar scalar) {
            return scalar.fixedBytes();
        }
        if (type instanceof TupleOf tuple) {
            return sumOfFixed(tuple.fields(), 0);
        }
        if (type instanceof RowOf row) {
            return sumOfFixed(row.fields(), 1);
        }
        return -1;
    }

    private static long sumOfFixed(List<ElementType> fields, long sum) {
        for (ElementType field : fields) {
            long bytes = fixedBytes(field);
            if (bytes < 0) {
                return -1;
            }
            sum += bytes;
        }
        return sum;
    }

    private static long bytesOf(ElementType type, Object value) {
        if (type instanceof Scalar scalar) {
            return scalar.fixedBytes() >= 0
                    ? scalar.fixedBytes()
                    : OFFSET_BYTES + variableBytes(value);
        }
        if (type instanceof RowOf row) {
            return 1 + rowBytes(row, value);
        }
        if (type instanceof TupleOf tuple) {
            return tupleBytes(tuple, value);
        }
        if (type instanceof Mapping map) {
            return OFFSET_BYTES + mapBytes(map, value);
        }
        return OFFSET_BYTES + sequenceBytes((Sequence) type, value);
    }

    private static long variableBytes(Object value) {
        if (value instanceof String text) {
            return utf8Bytes(text);
        }
        if (value instanceof byte[] bytes) {
            return bytes.length;
        }
        if (value instanceof BigInteger number) {
            return number.bitLength() / 8 + 1;
        }
        if (value instanceof BigDecimal number) {
            // precision() of a large number would compute all its digits.
            return number.unscaledValue().bitLength() / 3 + 12;
        }
        return value instanceof List<?> list ? list.size() : 0;
    }

    private static long utf8Bytes(String text) {
        long bytes = text.length();
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c >= 0x80) {
                // A surrogate is half of four bytes.
                bytes += c < 0x800 || Character.isSurrogate(c) ? 1 : 2;
            }
        }
        return bytes;
    }

    private static long sequenceBytes(Sequence sequence, Object value) {
        if (value == null) {
            return 0;
        }
        long fixed = fixedBytes(sequence.element());
        if (value instanceof List<?> list) {
            return fixed >= 0 ? fixed * list.size() : sumOf(sequence.element(), list);
        }
        if (value instanceof Object[] array) {
            return fixed >= 0
                    ? fixed * array.length
                    : sumOf(sequence.element(), Arrays.asList(array));
        }
        return value.getClass().isArray() ? Math.max(fixed, 0) * Array.getLength(value) : 0;
    }

    private static long sumOf(ElementType element, Iterable<?> values) {
        long sum = 0;
        for (Object value : values) {
            sum += bytesOf(element, value);
        }
        return sum;
    }

    private static long mapBytes(Mapping map, Object value) {
        if (!(value instanceof Map<?, ?> entries)) {
            return 0;
        }
        return sumOf(map.key(), entries.keySet()) + sumOf(map.value(), entries.values());
    }

    private static long tupleBytes(TupleOf type, Object value) {
        long sum = 0;
        if (value instanceof Tuple tuple && tuple.getArity() == type.fields().size()) {
            for (int i = 0; i < tuple.getArity(); i++) {
                sum += bytesOf(type.fields().get(i), tuple.getField(i));
            }
        }
        return sum;
    }

    private static long rowBytes(RowOf type, Object value) {
        long sum = 0;
        if (value instanceof Row row && row.getArity() == type.fields().size()) {
            Set<String> names = row.getFieldNames(false);
            for (int i = 0; i < row.getArity(); i++) {
                Object field =
                        names == null
                                ? row.getField(i)
                                : names.contains(type.names().get(i))
                                        ? row.getField(type.names().get(i))
                                        : null;
                sum += bytesOf(type.fields().get(i), field);
            }
        }
        return sum;
    }
}
