package io.asyncbatch.flink.batchapi;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;

/**
 * A row and what the provider knows its request by, to bring rows and results together again. A
 * POJO for Flink's serializers.
 *
 * @param <IN> type of the inputs
 */
@PublicEvolving
public final class SubmittedRow<IN> {

    /** As in {@link RequestId#customId}; no other request has it. */
    public String customId;

    /** As it came in. */
    public IN row;

    /** For Flink's serializers. */
    public SubmittedRow() {}

    public SubmittedRow(String customId, IN row) {
        this.customId = customId;
        this.row = row;
    }

    /** The type of submitted rows of a type. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    public static <IN> TypeInformation<SubmittedRow<IN>> type(TypeInformation<IN> rowType) {
        Map<String, TypeInformation<?>> fields = new HashMap<>();
        fields.put("customId", Types.STRING);
        fields.put("row", rowType);
        return Types.POJO((Class) SubmittedRow.class, fields);
    }
}
