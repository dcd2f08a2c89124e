package io.asyncbatch.flink;

import org.apache.flink.annotation.PublicEvolving;

/** A function was not called, because the circuit breaker of its backend is open. */
@PublicEvolving
public final class CircuitOpenException extends Exception {

    private static final long serialVersionUID = 1L;

    public CircuitOpenException(String message) {
        super(message);
    }
}
