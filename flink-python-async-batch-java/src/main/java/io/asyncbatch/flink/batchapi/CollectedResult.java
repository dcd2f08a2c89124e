package io.asyncbatch.flink.batchapi;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;

/**
 * The result of a request that another job submitted. A POJO for Flink's serializers.
 *
 * @param <OUT> type of the results
 */
@PublicEvolving
public final class CollectedResult<OUT> {

    public RequestId request;

    /** As the codec made it. */
    public OUT result;

    /** For Flink's serializers. */
    public CollectedResult() {}

    public CollectedResult(RequestId request, OUT result) {
        this.request = request;
        this.result = result;
    }

    /** The type of collected results of a type. */
    @SuppressWarnings({"unchecked", "rawtypes"})
    public static <OUT> TypeInformation<CollectedResult<OUT>> type(
            TypeInformation<OUT> resultType) {
        Map<String, TypeInformation<?>> fields = new HashMap<>();
        fields.put("request", Types.POJO(RequestId.class));
        fields.put("result", resultType);
        return Types.POJO((Class) CollectedResult.class, fields);
    }
}
