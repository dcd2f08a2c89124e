package io.asyncbatch.flink.operator.state;

import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.typeutils.TypeSerializer;

/** Copies of values that may be null, which many of Flink's serializers refuse. Stateless. */
@Internal
public final class NullableCopy {

    private NullableCopy() {}

    @Nullable
    public static <T> T of(@Nullable T value, TypeSerializer<T> serializer) {
        return value == null ? null : serializer.copy(value);
    }
}
