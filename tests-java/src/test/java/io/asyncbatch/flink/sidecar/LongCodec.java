package io.asyncbatch.flink.sidecar;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.util.List;
import java.util.stream.IntStream;

/** Numbers, each repeated to a row of a tensor, so that a record can have any size. */
final class LongCodec implements TensorCodec<Long, Long> {

    private final int rowLength;

    LongCodec(int rowLength) {
        this.rowLength = rowLength;
    }

    LongCodec() {
        this(1);
    }

    @Override
    public List<Tensor> encode(List<Long> records) {
        ByteBuffer contents =
                ByteBuffer.allocate(records.size() * rowLength * Long.BYTES)
                        .order(ByteOrder.LITTLE_ENDIAN);
        for (long record : records) {
            if (record < 0) {
                throw new IllegalArgumentException("record must not be negative, got " + record);
            }
            IntStream.range(0, rowLength).forEach(column -> contents.putLong(record));
        }
        return List.of(
                new Tensor(
                        MockSidecar.INPUT,
                        TensorDataType.INT64,
                        new long[] {records.size(), rowLength},
                        contents.flip()));
    }

    /** Looks at the last number of each row, where a mistake about sizes would show. */
    @Override
    public List<Long> decode(List<Tensor> outputs, int records) {
        LongBuffer values = outputs.get(0).contents().asLongBuffer();
        return IntStream.range(0, records)
                .mapToObj(record -> values.get((record + 1) * rowLength - 1))
                .toList();
    }

    @Override
    public List<String> outputs() {
        return List.of(MockSidecar.OUTPUT);
    }
}
