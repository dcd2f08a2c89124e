package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.proto.CallMerging;
import java.io.Serializable;
import org.apache.flink.annotation.Internal;

/**
 * How the subtasks of a TaskManager share a worker: which of their batches it may handle in one
 * call. Immutable.
 *
 * @param mostRows of a merged call: {@code batch_size}
 * @param mostBytes of a merged call: {@code max_batch_bytes}
 * @param mostCalls while so many calls run that others could have joined, further batches wait for
 *     each other: {@code capacity}
 * @param separateFailures whether the batches of a call that fails are called for again, each by
 *     itself
 */
@Internal
public record WorkerSharing(int mostRows, long mostBytes, int mostCalls, boolean separateFailures)
        implements Serializable {

    CallMerging describe() {
        return CallMerging.newBuilder()
                .setMostRows(mostRows)
                .setMostBytes(mostBytes)
                .setMostCalls(mostCalls)
                .setSeparateFailures(separateFailures)
                .build();
    }
}
