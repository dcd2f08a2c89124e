package io.asyncbatch.flink.sidecar.codec;

import java.io.Serializable;

/** How records hold an array of elements that are all primitive; stateless. */
interface ArrayForm extends Serializable {

    /** The array itself, as {@code DataStream} has it. */
    ArrayForm PLAIN = Plain.INSTANCE;

    /**
     * The primitive array, or what is none and then refused as that.
     *
     * @throws UnfitElementException if there is no such array
     */
    Object arrayOf(Object value);

    Object valueOf(Object array);

    /** See {@link #PLAIN}. */
    enum Plain implements ArrayForm {
        INSTANCE;

        @Override
        public Object arrayOf(Object value) {
            return value;
        }

        @Override
        public Object valueOf(Object array) {
            return array;
        }
    }
}
