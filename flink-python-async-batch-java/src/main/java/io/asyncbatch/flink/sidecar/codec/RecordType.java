package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorField;
import java.util.List;

/**
 * What a codec has to know of a type of records or results while it is built; stateless.
 *
 * @param <R> type of the records or results
 */
interface RecordType<R> {

    /** How it reads in an error. */
    String description();

    /** Null if a record is a single value. */
    List<String> fieldNames();

    /**
     * @param position 0 for a single value
     * @throws IllegalArgumentException if the field's type is not supported, or not as asked for
     */
    Column<?> column(int position, TensorField field);

    FieldReader<R> reader(int position);

    /** Whether values of that type's field may become values of this type's. */
    boolean takes(int position, RecordType<?> other, int otherPosition);

    /** Makes results of this type. */
    <IN> RecordMaker<IN, R> maker(ResultFields<IN> fields);
}
