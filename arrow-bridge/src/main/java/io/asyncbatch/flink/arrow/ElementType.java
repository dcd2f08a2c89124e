package io.asyncbatch.flink.arrow;

import java.io.Serializable;
import java.util.List;
import org.apache.arrow.vector.types.DateUnit;
import org.apache.arrow.vector.types.FloatingPointPrecision;
import org.apache.arrow.vector.types.TimeUnit;
import org.apache.arrow.vector.types.pojo.ArrowType;

/**
 * What an element is made of, independent of the {@code TypeInformation} it came from: the one
 * model that schema, converters and size estimates switch on. Immutable.
 */
sealed interface ElementType extends Serializable {

    /** The logical name that travels in the field's metadata. */
    String logicalName();

    /**
     * Whether null is a value of the type itself, wherever it stands. PyFlink's coders mark it for
     * these types; for all others the enclosing type decides.
     */
    default boolean includesNull() {
        return false;
    }

    /** Levels of nested Arrow fields that the type needs. */
    int arrowDepth();

    /** Whether equal Python values hash alike, which a key of a {@code dict} must. */
    boolean hashableInPython();

    /** How the type reads in an error. */
    default String displayName() {
        return logicalName();
    }

    /** Types without a parameter. */
    enum Scalar implements ElementType {
        BOOLEAN(ArrowType.Bool.INSTANCE, 1),
        BYTE(new ArrowType.Int(8, true), 1),
        SHORT(new ArrowType.Int(16, true), 2),
        INT(new ArrowType.Int(32, true), 4),
        LONG(new ArrowType.Int(64, true), 8),
        FLOAT(new ArrowType.FloatingPoint(FloatingPointPrecision.SINGLE), 4),
        DOUBLE(new ArrowType.FloatingPoint(FloatingPointPrecision.DOUBLE), 8),
        CHAR(new ArrowType.Int(16, false), 2),
        STRING(ArrowType.Utf8.INSTANCE, -1),
        BIG_INT(ArrowType.Binary.INSTANCE, -1),
        BIG_DEC(ArrowType.Utf8.INSTANCE, -1),
        SQL_DATE(new ArrowType.Date(DateUnit.DAY), 4),
        SQL_TIME(new ArrowType.Time(TimeUnit.MILLISECOND, 32), 4),
        SQL_TIMESTAMP(new ArrowType.Timestamp(TimeUnit.MICROSECOND, null), 8),
        LOCAL_DATE(new ArrowType.Date(DateUnit.DAY), 4),
        LOCAL_TIME(new ArrowType.Time(TimeUnit.MICROSECOND, 64), 8),
        LOCAL_DATETIME(new ArrowType.Timestamp(TimeUnit.MICROSECOND, null), 8),
        INSTANT(ArrowType.Struct.INSTANCE, 12),
        /** {@code byte[]}, Python {@code bytes}. */
        BYTES(ArrowType.Binary.INSTANCE, -1),
        /** {@code List<Byte>}, which PyFlink hands to Python as {@code bytes} too. */
        BYTE_LIST(ArrowType.Binary.INSTANCE, -1),
        /** {@code byte[]} that the worker unpickles. */
        PICKLED(ArrowType.Binary.INSTANCE, -1);

        private final transient ArrowType arrowType;
        private final int fixedBytes;

        Scalar(ArrowType arrowType, int fixedBytes) {
            this.arrowType = arrowType;
            this.fixedBytes = fixedBytes;
        }

        ArrowType arrowType() {
            return arrowType;
        }

        /** Encoded bytes of every value, or -1 if values differ in size. */
        int fixedBytes() {
            return fixedBytes;
        }

        @Override
        public String logicalName() {
            return name();
        }

        @Override
        public boolean includesNull() {
            return switch (this) {
                case INSTANT, LOCAL_DATE, LOCAL_TIME, LOCAL_DATETIME -> true;
                default -> false;
            };
        }

        @Override
        public int arrowDepth() {
            return this == INSTANT ? 2 : 1;
        }

        @Override
        public boolean hashableInPython() {
            // Python's Instant defines __eq__ alone; what a pickled value is nobody knows here.
            return this != INSTANT && this != PICKLED;
        }
    }

    /** Which Java class holds the elements of a {@link Sequence}. */
    enum SequenceKind {
        PRIMITIVE_ARRAY,
        BASIC_ARRAY,
        OBJECT_ARRAY,
        LIST
    }

    /**
     * An array or a list.
     *
     * @param componentClass class of an array's components; {@code Object} for a list
     */
    record Sequence(SequenceKind kind, ElementType element, Class<?> componentClass)
            implements ElementType {

        @Override
        public String logicalName() {
            return kind.name();
        }

        boolean nullableElements() {
            // The coders of object arrays mark null elements; those of primitive arrays and lists
            // have no room for a mark.
            return kind == SequenceKind.BASIC_ARRAY
                    || kind == SequenceKind.OBJECT_ARRAY
                    || element.includesNull();
        }

        @Override
        public int arrowDepth() {
            return 1 + element.arrowDepth();
        }

        @Override
        public boolean hashableInPython() {
            return false;
        }

        @Override
        public String displayName() {
            return kind + "<" + element.displayName() + ">";
        }
    }

    /** A map; keys are never null, values may be. */
    record Mapping(ElementType key, ElementType value) implements ElementType {

        @Override
        public String logicalName() {
            return "MAP";
        }

        @Override
        public int arrowDepth() {
            return 2 + Math.max(key.arrowDepth(), value.arrowDepth());
        }

        @Override
        public boolean hashableInPython() {
            return false;
        }

        @Override
        public String displayName() {
            return "MAP<" + key.displayName() + ", " + value.displayName() + ">";
        }
    }

    /** A Flink tuple; fields are not null. */
    record TupleOf(List<ElementType> fields) implements ElementType {

        @Override
        public String logicalName() {
            return "TUPLE";
        }

        @Override
        public int arrowDepth() {
            return 1 + deepest(fields);
        }

        @Override
        public boolean hashableInPython() {
            return fields.stream().allMatch(ElementType::hashableInPython);
        }

        @Override
        public String displayName() {
            return "TUPLE of " + fields.size() + " fields";
        }
    }

    /** A Flink row; fields may be null. */
    record RowOf(List<String> names, List<ElementType> fields) implements ElementType {

        @Override
        public String logicalName() {
            return "ROW";
        }

        @Override
        public int arrowDepth() {
            return 1 + Math.max(1, deepest(fields));
        }

        @Override
        public boolean hashableInPython() {
            return fields.stream().allMatch(ElementType::hashableInPython);
        }

        @Override
        public String displayName() {
            return "ROW of " + fields.size() + " fields";
        }
    }

    private static int deepest(List<ElementType> fields) {
        return fields.stream().mapToInt(ElementType::arrowDepth).max().orElse(0);
    }
}
