package io.asyncbatch.flink.arrow;

/**
 * Where in the element a field stands and what may stand there; immutable.
 *
 * @param path path of the field from the element, as errors show it
 * @param type display name of the field's type
 * @param nullable whether the field may be null
 */
record FieldPosition(String path, String type, boolean nullable) {

    static FieldPosition of(String path, ElementType type, boolean nullable) {
        return new FieldPosition(path, type.displayName(), nullable || type.includesNull());
    }
}
