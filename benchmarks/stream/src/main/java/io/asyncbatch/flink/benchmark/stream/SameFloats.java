package io.asyncbatch.flink.benchmark.stream;

import java.util.Random;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.datagen.source.GeneratorFunction;

/**
 * Rows that are one and the same array of numbers between 0 and 1, as pixels that a model takes.
 * Owned by the source's task thread.
 */
public final class SameFloats implements GeneratorFunction<Long, float[]> {

    private static final long serialVersionUID = 1L;

    private final int length;
    private transient float[] array;

    /**
     * @param length of the array
     */
    public SameFloats(int length) {
        this.length = length;
    }

    @Override
    public void open(SourceReaderContext context) {
        Random random = new Random(0);
        array = new float[length];
        for (int i = 0; i < length; i++) {
            array[i] = random.nextFloat();
        }
    }

    @Override
    public float[] map(Long index) {
        return array;
    }
}
