package io.asyncbatch.flink.sidecar;

import io.asyncbatch.flink.sidecar.codec.RecordCodec;
import io.asyncbatch.flink.sidecar.codec.RecordCodecs;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.table.data.RowData;
import org.apache.flink.table.types.logical.RowType;

/**
 * The ready-made codecs. All are immutable, may be called by any thread, and throw {@code
 * IllegalArgumentException} while they are built if a field is not known or its type has no tensor.
 */
@PublicEvolving
public final class TensorCodecs {

    private TensorCodecs() {}

    /** For a model of one input and one output, both values of one type. */
    public static <IN, OUT> TensorCodec<IN, OUT> of(
            TensorColumn<IN> input, TensorColumn<OUT> output) {
        return RecordCodec.ofValues(input.name(), input.column(), output.name(), output.column());
    }

    /**
     * For records and results of these types: rows, field by field, or single values, for which the
     * options name one tensor.
     *
     * @param records ROW, or any type that {@link TensorColumn#of} takes
     * @param results likewise; values are of exactly the classes that its serializer takes
     */
    public static <IN, OUT> TensorCodec<IN, OUT> forTypes(
            TypeInformation<IN> records, TypeInformation<OUT> results, TensorCodecOptions options) {
        return RecordCodecs.of(records, results, options);
    }

    /**
     * For rows of the table runtime, field by field. Fields may be BOOLEAN, TINYINT, SMALLINT, INT,
     * BIGINT, FLOAT, DOUBLE, CHAR, VARCHAR, BINARY, VARBINARY, and ARRAY of these, nested too. That
     * results keep to the length of a CHAR, VARCHAR, BINARY or VARBINARY is not looked at.
     */
    public static TensorCodec<RowData, RowData> forRowData(
            RowType records, RowType results, TensorCodecOptions options) {
        return RecordCodecs.of(records, results, options);
    }
}
