package io.asyncbatch.flink.arrow;

/**
 * Carries the path of a value that does not fit from a converter to the writer, which adds the row;
 * stays within the writer's thread. Has no stack trace: the writer's exception has one.
 */
final class FieldMisfitException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    FieldMisfitException(String path, String expected, String found) {
        super(
                "field '" + path + "' is of type " + expected + ", found " + found,
                null,
                false,
                false);
    }
}
