package io.asyncbatch.flink.batchapi;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;

/**
 * A row that has no result, for good. What the side output holds; a POJO for Flink's serializers.
 *
 * @param <IN> type of the inputs
 */
@PublicEvolving
public final class FailedRow<IN> {

    /** As it came in. */
    public IN row;

    /** Why, in a word: the provider's error code, or one of those in docs/batch-api.md. */
    public String code;

    /** The provider's text, at most 1,000 characters. It may quote the row. */
    public String message;

    /** How often the row was submitted. */
    public int attempts;

    /** For Flink's serializers. */
    public FailedRow() {}

    public FailedRow(IN row, String code, String message, int attempts) {
        this.row = row;
        this.code = code;
        this.message = message;
        this.attempts = attempts;
    }

    /** The type of failed rows of a type. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    public static <IN> TypeInformation<FailedRow<IN>> type(TypeInformation<IN> rowType) {
        Map<String, TypeInformation<?>> fields = new HashMap<>();
        fields.put("row", rowType);
        fields.put("code", Types.STRING);
        fields.put("message", Types.STRING);
        fields.put("attempts", Types.INT);
        return Types.POJO((Class) FailedRow.class, fields);
    }
}
