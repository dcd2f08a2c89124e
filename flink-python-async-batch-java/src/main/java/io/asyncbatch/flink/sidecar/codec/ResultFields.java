package io.asyncbatch.flink.sidecar.codec;

import java.io.Serializable;
import java.util.List;

/**
 * Where the fields of a result come from; immutable.
 *
 * @param names of all fields
 * @param outputs position of the field that each output becomes
 * @param copies fields that come from the record
 */
record ResultFields<IN>(List<String> names, List<Integer> outputs, List<Copy<IN>> copies)
        implements Serializable {

    ResultFields {
        names = List.copyOf(names);
        outputs = List.copyOf(outputs);
        copies = List.copyOf(copies);
    }

    /** A field that stays what it is. */
    record Copy<IN>(FieldReader<IN> reader, int position) implements Serializable {}

    /**
     * @throws UnfitElementException if the record has no such field
     */
    Object[] of(IN record, Object[] values) {
        Object[] fields = new Object[names.size()];
        for (int i = 0; i < values.length; i++) {
            fields[outputs.get(i)] = values[i];
        }
        for (Copy<IN> copy : copies) {
            try {
                fields[copy.position()] = copy.reader().read(record);
            } catch (UnfitElementException e) {
                throw new UnfitElementException(
                        "field '%s' %s".formatted(names.get(copy.position()), e.getMessage()));
            }
        }
        return fields;
    }
}
