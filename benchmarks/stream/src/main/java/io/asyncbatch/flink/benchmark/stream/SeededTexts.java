package io.asyncbatch.flink.benchmark.stream;

import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.connector.datagen.source.GeneratorFunction;

/**
 * Rows that are their number, a space and letters, how many of them the seed says: mostly few, one
 * in sixteen many. {@code benchmarks/soak/rows.py} says the same of a number and checks what became
 * of it. Owned by the source's task thread.
 */
public final class SeededTexts implements GeneratorFunction<Long, String> {

    private static final long serialVersionUID = 1L;
    private static final long GOLDEN_RATIO = 0x9E3779B97F4A7C15L;
    private static final int ALPHABET = 26;

    private final long seed;
    private final int mostLetters;
    private final int mostLettersOfLarge;
    private transient String letters;

    /**
     * @param seed of the lengths
     * @param mostLetters of a row, at least 1
     * @param mostLettersOfLarge of one in sixteen, at least 1
     */
    public SeededTexts(long seed, int mostLetters, int mostLettersOfLarge) {
        this.seed = seed;
        this.mostLetters = mostLetters;
        this.mostLettersOfLarge = mostLettersOfLarge;
    }

    @Override
    public void open(SourceReaderContext context) {
        StringBuilder made = new StringBuilder();
        for (int i = 0; i < Math.max(mostLetters, mostLettersOfLarge); i++) {
            made.append((char) ('a' + i % ALPHABET));
        }
        letters = made.toString();
    }

    @Override
    public String map(Long number) {
        int drawn = (int) ((number + seed) * GOLDEN_RATIO >>> 40);
        int most = drawn % 16 == 0 ? mostLettersOfLarge : mostLetters;
        return number + " " + letters.substring(0, (drawn >>> 4) % most);
    }
}
