package io.asyncbatch.flink.arrow;

import org.apache.flink.annotation.Internal;

/** Thrown while the job graph is built for an element type that has no Arrow form. */
@Internal
public class UnsupportedElementTypeException extends IllegalArgumentException {

    private static final long serialVersionUID = 1L;

    public UnsupportedElementTypeException(String message) {
        super(message);
    }
}
