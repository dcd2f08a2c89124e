package io.asyncbatch.flink.arrow;

import java.time.DateTimeException;
import java.time.Instant;
import org.apache.arrow.vector.BigIntVector;
import org.apache.arrow.vector.IntVector;
import org.apache.arrow.vector.complex.StructVector;

/** {@code Instant} as seconds and nanoseconds. Owned by its writer's or reader's thread. */
final class InstantConverter extends FieldConverter {

    private final StructVector vector;
    private final BigIntVector seconds;
    private final IntVector nanos;

    InstantConverter(StructVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
        this.seconds = (BigIntVector) vector.getChildrenFromFields().get(0);
        this.nanos = (IntVector) vector.getChildrenFromFields().get(1);
    }

    @Override
    void put(int index, Object value) {
        if (!(value instanceof Instant instant)) {
            throw wrongClass(value);
        }
        vector.setIndexDefined(index);
        seconds.setSafe(index, instant.getEpochSecond());
        nanos.setSafe(index, instant.getNano());
    }

    @Override
    Object get(int index) {
        if (seconds.isNull(index) || nanos.isNull(index)) {
            throw malformed(index, "half an instant");
        }
        try {
            return Instant.ofEpochSecond(seconds.get(index), nanos.get(index));
        } catch (DateTimeException | ArithmeticException e) {
            throw malformed(index, "no instant");
        }
    }
}
