package io.asyncbatch.flink.limit;

import java.util.function.ToDoubleFunction;
import org.apache.flink.annotation.Internal;

/** What the time of a call grows with. */
@Internal
public enum BatchSizeUnit {
    /** Each row costs about the same. */
    ROWS(EndedCall::rows),

    /** A row costs what it weighs: texts and images of all lengths. */
    BYTES(EndedCall::bytes);

    private final ToDoubleFunction<EndedCall> size;

    BatchSizeUnit(ToDoubleFunction<EndedCall> size) {
        this.size = size;
    }

    /** How large the call's batch was. */
    public double of(EndedCall call) {
        return size.applyAsDouble(call);
    }
}
