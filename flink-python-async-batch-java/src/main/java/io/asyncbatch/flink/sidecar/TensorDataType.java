package io.asyncbatch.flink.sidecar;

import org.apache.flink.annotation.PublicEvolving;

/** The element types of the Open Inference Protocol, under the names that it gives them. */
@PublicEvolving
public enum TensorDataType {
    BOOL(1),
    UINT8(1),
    UINT16(2),
    UINT32(4),
    UINT64(8),
    INT8(1),
    INT16(2),
    INT32(4),
    INT64(8),
    FP16(2),
    BF16(2),
    FP32(4),
    FP64(8),
    /** Text or bytes of any length; each element is preceded by its length in four bytes. */
    BYTES(0);

    private final int byteSize;

    TensorDataType(int byteSize) {
        this.byteSize = byteSize;
    }

    /** Bytes of an element; 0 for {@link #BYTES}, whose elements differ. */
    public int byteSize() {
        return byteSize;
    }
}
