package io.asyncbatch.flink.arrow;

import io.asyncbatch.flink.arrow.ElementType.Mapping;
import io.asyncbatch.flink.arrow.ElementType.RowOf;
import io.asyncbatch.flink.arrow.ElementType.Scalar;
import io.asyncbatch.flink.arrow.ElementType.Sequence;
import io.asyncbatch.flink.arrow.ElementType.SequenceKind;
import io.asyncbatch.flink.arrow.ElementType.TupleOf;
import java.util.List;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.BitVector;
import org.apache.arrow.vector.DateDayVector;
import org.apache.arrow.vector.FieldVector;
import org.apache.arrow.vector.Float4Vector;
import org.apache.arrow.vector.Float8Vector;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.SmallIntVector;
import org.apache.arrow.vector.TimeMicroVector;
import org.apache.arrow.vector.TimeMilliVector;
import org.apache.arrow.vector.TimeStampMicroVector;
import org.apache.arrow.vector.TinyIntVector;
import org.apache.arrow.vector.UInt2Vector;
import org.apache.arrow.vector.VarBinaryVector;
import org.apache.arrow.vector.VarCharVector;
import org.apache.arrow.vector.VectorSchemaRoot;
import org.apache.arrow.vector.complex.ListVector;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.StructVector;

/** Binds the converters of an element type to the vectors of its schema; stateless. */
final class FieldConverters {

    private FieldConverters() {}

    /** The converter between elements of the type and the columns of the root. */
    static ElementConverter bind(ElementType type, VectorSchemaRoot root) {
        List<FieldVector> columns = root.getFieldVectors();
        FieldPosition element = FieldPosition.of(ArrowSchemas.VALUE_COLUMN, type, false);
        if (type instanceof RowOf row) {
            return rowFields(row, columns, element, "");
        }
        if (type instanceof TupleOf tuple) {
            return tupleFields(tuple, columns, element, "");
        }
        return new ValueColumn(field(type, columns.get(0), element));
    }

    private static FieldConverter field(
            ElementType type, FieldVector vector, FieldPosition position) {
        if (type instanceof Scalar scalar) {
            return scalar(scalar, vector, position);
        }
        if (type instanceof Sequence sequence) {
            return sequence(sequence, (ListVector) vector, position);
        }
        if (type instanceof Mapping map) {
            return map(map, (MapVector) vector, position);
        }
        StructVector struct = (StructVector) vector;
        List<FieldVector> members = struct.getChildrenFromFields();
        ElementConverter fields =
                type instanceof RowOf row
                        ? rowFields(row, members, position, position.path())
                        : tupleFields((TupleOf) type, members, position, position.path());
        return new StructConverter(struct, position, fields);
    }

    private static FieldConverter scalar(Scalar type, FieldVector vector, FieldPosition position) {
        return switch (type) {
            case BOOLEAN -> new BooleanConverter((BitVector) vector, position);
            case BYTE -> new ByteConverter((TinyIntVector) vector, position);
            case SHORT -> new ShortConverter((SmallIntVector) vector, position);
            case INT -> new IntConverter((IntVector) vector, position);
            case LONG -> new LongConverter((BigIntVector) vector, position);
            case FLOAT -> new FloatConverter((Float4Vector) vector, position);
            case DOUBLE -> new DoubleConverter((Float8Vector) vector, position);
            case CHAR -> new CharConverter((UInt2Vector) vector, position);
            case STRING -> new StringConverter((VarCharVector) vector, position);
            case BIG_INT -> new BigIntegerConverter((VarBinaryVector) vector, position);
            case BIG_DEC -> new BigDecimalConverter((VarCharVector) vector, position);
            case SQL_DATE -> new SqlDateConverter((DateDayVector) vector, position);
            case SQL_TIME -> new SqlTimeConverter((TimeMilliVector) vector, position);
            case SQL_TIMESTAMP ->
                    new SqlTimestampConverter((TimeStampMicroVector) vector, position);
            case LOCAL_DATE -> new LocalDateConverter((DateDayVector) vector, position);
            case LOCAL_TIME -> new LocalTimeConverter((TimeMicroVector) vector, position);
            case LOCAL_DATETIME ->
                    new LocalDateTimeConverter((TimeStampMicroVector) vector, position);
            case INSTANT -> new InstantConverter((StructVector) vector, position);
            case BYTES, PICKLED -> new BytesConverter((VarBinaryVector) vector, position);
            case BYTE_LIST -> new ByteListConverter((VarBinaryVector) vector, position);
        };
    }

    private static FieldConverter sequence(
            Sequence sequence, ListVector vector, FieldPosition position) {
        if (sequence.kind() == SequenceKind.PRIMITIVE_ARRAY) {
            return primitiveArray((Scalar) sequence.element(), vector, position);
        }
        FieldConverter element =
                field(
                        sequence.element(),
                        vector.getDataVector(),
                        FieldPosition.of(
                                position.path() + "[]",
                                sequence.element(),
                                sequence.nullableElements()));
        return new SequenceConverter(
                vector,
                position,
                element,
                sequence.kind() == SequenceKind.LIST ? null : sequence.componentClass());
    }

    private static FieldConverter primitiveArray(
            Scalar element, ListVector vector, FieldPosition position) {
        return switch (element) {
            case BOOLEAN -> new BooleanArrayConverter(vector, position);
            case SHORT -> new ShortArrayConverter(vector, position);
            case INT -> new IntArrayConverter(vector, position);
            case LONG -> new LongArrayConverter(vector, position);
            case FLOAT -> new FloatArrayConverter(vector, position);
            case DOUBLE -> new DoubleArrayConverter(vector, position);
            case CHAR -> new CharArrayConverter(vector, position);
            default ->
                    throw new IllegalStateException(
                            "No primitive array has elements of " + element);
        };
    }

    private static FieldConverter map(Mapping map, MapVector vector, FieldPosition position) {
        List<FieldVector> entry = ((StructVector) vector.getDataVector()).getChildrenFromFields();
        String path = position.path();
        return new MapConverter(
                vector,
                position,
                field(
                        map.key(),
                        entry.get(0),
                        new FieldPosition(path + "{key}", map.key().displayName(), false)),
                field(
                        map.value(),
                        entry.get(1),
                        FieldPosition.of(path + "{value}", map.value(), true)));
    }

    private static TupleFields tupleFields(
            TupleOf tuple, List<FieldVector> members, FieldPosition position, String path) {
        FieldConverter[] fields = new FieldConverter[tuple.fields().size()];
        for (int i = 0; i < fields.length; i++) {
            ElementType type = tuple.fields().get(i);
            String fieldPath = ElementTypes.child(path, "f" + i);
            fields[i] = field(type, members.get(i), FieldPosition.of(fieldPath, type, false));
        }
        return new TupleFields(position, fields);
    }

    private static RowFields rowFields(
            RowOf row, List<FieldVector> members, FieldPosition position, String path) {
        FieldConverter[] fields = new FieldConverter[row.fields().size()];
        for (int i = 0; i < fields.length; i++) {
            ElementType type = row.fields().get(i);
            String fieldPath = ElementTypes.child(path, row.names().get(i));
            fields[i] = field(type, members.get(i + 1), FieldPosition.of(fieldPath, type, true));
        }
        return new RowFields(position, (TinyIntVector) members.get(0), fields, row.names());
    }
}
