package io.asyncbatch.flink.sidecar.codec;

import java.io.Serializable;
import java.util.Objects;
import org.apache.flink.annotation.Internal;

/**
 * What a column is called, for the server and in errors; immutable.
 *
 * @param tensor name of the input or output
 * @param field name of the record's field, or null if the record is the value
 */
@Internal
public record ColumnName(String tensor, String field) implements Serializable {

    public ColumnName {
        Objects.requireNonNull(tensor, "tensor");
        if (tensor.isEmpty()) {
            throw new IllegalArgumentException("the name of a tensor must not be empty");
        }
    }

    /**
     * @param predicate such as "is null"
     */
    IllegalArgumentException misfit(int record, String predicate) {
        String subject =
                field == null
                        ? "record %d (input '%s') ".formatted(record, tensor)
                        : "field '%s' of record %d (input '%s') ".formatted(field, record, tensor);
        return new IllegalArgumentException(subject + predicate);
    }

    IllegalArgumentException inputMisfit(String predicate) {
        return new IllegalArgumentException("input '%s' %s".formatted(tensor, predicate));
    }

    IllegalArgumentException outputMisfit(String predicate) {
        return new IllegalArgumentException("output '%s' %s".formatted(tensor, predicate));
    }

    IllegalArgumentException outputMisfit(int record, String predicate) {
        return new IllegalArgumentException(
                "output '%s' of record %d %s".formatted(tensor, record, predicate));
    }
}
