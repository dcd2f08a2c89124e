package io.asyncbatch.flink.arrow;

import org.apache.flink.annotation.Internal;

/** Thrown for an element that does not fit its declared type; never holds the element's value. */
@Internal
public class ElementEncodingException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final int rowIndex;

    public ElementEncodingException(int rowIndex, String message, Throwable cause) {
        super("Row " + rowIndex + " of the batch cannot be encoded: " + message, cause);
        this.rowIndex = rowIndex;
    }

    /** Position, from 0, of the element in the batch. */
    public int getRowIndex() {
        return rowIndex;
    }
}
