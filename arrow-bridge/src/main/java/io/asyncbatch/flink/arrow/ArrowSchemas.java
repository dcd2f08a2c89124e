package io.asyncbatch.flink.arrow;

import io.asyncbatch.flink.arrow.ElementType.Mapping;
import io.asyncbatch.flink.arrow.ElementType.RowOf;
import io.asyncbatch.flink.arrow.ElementType.Scalar;
import io.asyncbatch.flink.arrow.ElementType.Sequence;
import io.asyncbatch.flink.arrow.ElementType.TupleOf;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import org.apache.arrow.vector.ipc.WriteChannel;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.arrow.vector.types.pojo.ArrowType;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.arrow.vector.types.pojo.FieldType;
import org.apache.arrow.vector.types.pojo.Schema;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * Builds the Arrow schema of an element type; stateless, for any thread. The metadata of schema and
 * fields names the logical types, so that the worker needs nothing but the schema.
 */
@Internal
public final class ArrowSchemas {

    /** Metadata key of a field's logical type. */
    static final String TYPE_KEY = "asyncbatch.type";

    /** Metadata key, on the schema, of how columns make up an element: VALUE, TUPLE or ROW. */
    static final String LAYOUT_KEY = "asyncbatch.layout";

    /** Logical type of the column or struct member that holds a row's kind. */
    static final String ROW_KIND = "ROW_KIND";

    /** Name of the only column of a type that is neither a row nor a tuple. */
    static final String VALUE_COLUMN = "value";

    private ArrowSchemas() {}

    /**
     * The schema of batches of the given type.
     *
     * @throws UnsupportedElementTypeException naming the type, and the path to it, that has no
     *     Arrow form
     */
    public static Schema forType(TypeInformation<?> type) {
        return forElement(ElementTypes.of(type));
    }

    /** The Arrow IPC schema message, as the worker reads it. */
    public static byte[] toBytes(Schema schema) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (WriteChannel channel = new WriteChannel(Channels.newChannel(bytes))) {
            MessageSerializer.serialize(channel, schema);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    static Schema forElement(ElementType type) {
        if (type instanceof RowOf row) {
            return new Schema(rowFields(row), Map.of(LAYOUT_KEY, row.logicalName()));
        }
        if (type instanceof TupleOf tuple) {
            return new Schema(tupleFields(tuple), Map.of(LAYOUT_KEY, tuple.logicalName()));
        }
        return new Schema(
                List.of(field(VALUE_COLUMN, type, type.includesNull())),
                Map.of(LAYOUT_KEY, "VALUE"));
    }

    private static Field field(String name, ElementType type, boolean nullable) {
        ArrowType arrowType;
        List<Field> children;
        if (type instanceof Scalar scalar) {
            arrowType = scalar.arrowType();
            children = scalar == Scalar.INSTANT ? instantFields() : List.of();
        } else if (type instanceof Sequence sequence) {
            arrowType = ArrowType.List.INSTANCE;
            children = List.of(field("item", sequence.element(), sequence.nullableElements()));
        } else if (type instanceof Mapping map) {
            arrowType = new ArrowType.Map(false);
            children = List.of(entries(map));
        } else if (type instanceof TupleOf tuple) {
            arrowType = ArrowType.Struct.INSTANCE;
            children = tupleFields(tuple);
        } else {
            arrowType = ArrowType.Struct.INSTANCE;
            children = rowFields((RowOf) type);
        }
        return new Field(name, fieldType(arrowType, nullable, type.logicalName()), children);
    }

    private static Field entries(Mapping map) {
        return new Field(
                "entries",
                FieldType.notNullable(ArrowType.Struct.INSTANCE),
                List.of(field("key", map.key(), false), field("value", map.value(), true)));
    }

    private static List<Field> instantFields() {
        return List.of(
                new Field("seconds", FieldType.notNullable(new ArrowType.Int(64, true)), null),
                new Field("nanos", FieldType.notNullable(new ArrowType.Int(32, true)), null));
    }

    private static List<Field> tupleFields(TupleOf tuple) {
        List<Field> fields = new ArrayList<>(tuple.fields().size());
        for (int i = 0; i < tuple.fields().size(); i++) {
            ElementType type = tuple.fields().get(i);
            fields.add(field("f" + i, type, type.includesNull()));
        }
        return fields;
    }

    private static List<Field> rowFields(RowOf row) {
        List<Field> fields = new ArrayList<>(row.fields().size() + 1);
        // First, so that also a row without fields has a column and with it a length.
        fields.add(
                new Field(
                        freeName(row.names()),
                        fieldType(new ArrowType.Int(8, true), false, ROW_KIND),
                        null));
        for (int i = 0; i < row.fields().size(); i++) {
            fields.add(field(row.names().get(i), row.fields().get(i), true));
        }
        return fields;
    }

    private static String freeName(Collection<String> taken) {
        String name = "row_kind";
        while (taken.contains(name)) {
            name = "$" + name;
        }
        return name;
    }

    private static FieldType fieldType(ArrowType type, boolean nullable, String logicalName) {
        return new FieldType(nullable, type, null, Map.of(TYPE_KEY, logicalName));
    }
}
