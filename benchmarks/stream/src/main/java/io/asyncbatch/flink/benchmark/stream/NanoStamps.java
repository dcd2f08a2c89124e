package io.asyncbatch.flink.benchmark.stream;

import org.apache.flink.connector.datagen.source.GeneratorFunction;

/** Rows that say when they were made: nanoseconds by this virtual machine's monotonic clock. */
public final class NanoStamps implements GeneratorFunction<Long, Long> {

    private static final long serialVersionUID = 1L;

    @Override
    public Long map(Long index) {
        return System.nanoTime();
    }
}
