package io.asyncbatch.flink.benchmark.stream;

import java.util.Random;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.datagen.source.GeneratorFunction;

/**
 * Rows that are one and the same array, so that making them costs nothing however large they are.
 * Its bytes are random, as those of a compressed image. Owned by the source's task thread.
 */
public final class SameArray implements GeneratorFunction<Long, byte[]> {

    private static final long serialVersionUID = 1L;

    private final int bytes;
    private transient byte[] array;

    /**
     * @param bytes length of the array
     */
    public SameArray(int bytes) {
        this.bytes = bytes;
    }

    @Override
    public void open(SourceReaderContext context) {
        array = new byte[bytes];
        new Random(0).nextBytes(array);
    }

    @Override
    public byte[] map(Long index) {
        return array;
    }
}
