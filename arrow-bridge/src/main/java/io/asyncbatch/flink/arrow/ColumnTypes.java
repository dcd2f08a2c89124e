package io.asyncbatch.flink.arrow;

import io.asyncbatch.flink.arrow.ElementType.Mapping;
import io.asyncbatch.flink.arrow.ElementType.RowOf;
import io.asyncbatch.flink.arrow.ElementType.Scalar;
import io.asyncbatch.flink.arrow.ElementType.Sequence;
import io.asyncbatch.flink.arrow.ElementType.TupleOf;
import java.util.List;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeinfo.TypeInformation;

/**
 * Refuses the element types that a function on Arrow's columns can make nothing of; stateless, for
 * any thread.
 */
@Internal
public final class ColumnTypes {

    private ColumnTypes() {}

    /**
     * @param role what the elements are, as an error begins: "inputs" or "results"
     * @throws UnsupportedElementTypeException naming the path to what is pickled, or to the row
     *     without fields
     */
    public static void require(TypeInformation<?> type, String role) {
        require(ElementTypes.of(type), "", role);
    }

    private static void require(ElementType type, String path, String role) {
        if (type == Scalar.PICKLED) {
            throw new UnsupportedElementTypeException(
                    String.format(
                            "%s of an ArrowAsyncBatchFunction %s of type PICKLED_BYTE_ARRAY, whose bytes only"
                                    + " Python's pickle reads. Give the stream a type, such as Types.LONG(),"
                                    + " Types.PRIMITIVE_ARRAY(Types.FLOAT()) or Types.ROW_NAMED([...], [...]),"
                                    + " or use an AsyncBatchFunction.",
                            subject(path, role), path.isEmpty() ? "are" : "is"));
        }
        if (type instanceof Sequence sequence) {
            require(sequence.element(), path + "[]", role);
        } else if (type instanceof Mapping map) {
            require(map.key(), path + "{key}", role);
            require(map.value(), path + "{value}", role);
        } else if (type instanceof TupleOf tuple) {
            for (int i = 0; i < tuple.fields().size(); i++) {
                require(tuple.fields().get(i), ElementTypes.child(path, "f" + i), role);
            }
        } else if (type instanceof RowOf row) {
            requireFields(row, path, role);
        }
    }

    private static void requireFields(RowOf row, String path, String role) {
        List<ElementType> fields = row.fields();
        if (fields.isEmpty()) {
            throw new UnsupportedElementTypeException(
                    String.format(
                            "%s of an ArrowAsyncBatchFunction must have a field: a ROW without fields has no"
                                    + " columns.",
                            subject(path, role)));
        }
        for (int i = 0; i < fields.size(); i++) {
            require(fields.get(i), ElementTypes.child(path, row.names().get(i)), role);
        }
    }

    private static String subject(String path, String role) {
        return path.isEmpty() ? "The " + role : "Field '" + path + "' of the " + role;
    }
}
