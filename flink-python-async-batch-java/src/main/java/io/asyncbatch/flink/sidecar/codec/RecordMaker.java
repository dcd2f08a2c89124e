package io.asyncbatch.flink.sidecar.codec;

import java.io.Serializable;

/**
 * Makes a result of the model's outputs and, if it holds fields of it, the record; stateless.
 *
 * @param <IN> type of the records
 * @param <OUT> type of the results
 */
interface RecordMaker<IN, OUT> extends Serializable {

    /** Whether there is no result without the record. */
    boolean needsRecord();

    /**
     * @param record null where it is not known
     * @param values one an output, in the codec's order
     * @throws UnfitElementException if the record lacks a field
     */
    OUT make(IN record, Object[] values);

    /** The only value is the result. */
    record Whole<IN, OUT>() implements RecordMaker<IN, OUT> {

        @Override
        public boolean needsRecord() {
            return false;
        }

        @Override
        @SuppressWarnings("unchecked")
        public OUT make(IN record, Object[] values) {
            return (OUT) values[0];
        }
    }
}
