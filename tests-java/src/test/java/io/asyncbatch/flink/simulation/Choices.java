package io.asyncbatch.flink.simulation;

import java.util.Arrays;
import java.util.SplittableRandom;
import javax.annotation.Nullable;

/**
 * Everything that is random in a schedule, as one sequence of small numbers: drawn from a seed and
 * written down, or read from what was written down. Zero is always the harmless choice, so that a
 * sequence with fewer and smaller numbers is a simpler schedule. Used by one thread.
 */
final class Choices {

    private static final int PERMILLE = 1_000;

    @Nullable private final SplittableRandom random;
    private int[] taken;
    private int size;
    private int next;

    private Choices(@Nullable SplittableRandom random, int[] taken, int size) {
        this.random = random;
        this.taken = taken;
        this.size = size;
    }

    static Choices ofSeed(long seed) {
        return new Choices(new SplittableRandom(seed), new int[256], 0);
    }

    /** Those, and zeros behind them. */
    static Choices replaying(int[] sequence) {
        return new Choices(null, sequence, sequence.length);
    }

    /** A number from 0 to below the bound. */
    int below(int bound) {
        if (random == null) {
            int choice = next < size ? Math.min(taken[next], bound - 1) : 0;
            next++;
            return choice;
        }
        int choice = random.nextInt(bound);
        if (size == taken.length) {
            taken = Arrays.copyOf(taken, 2 * size);
        }
        taken[size++] = choice;
        return choice;
    }

    /** A number from one to the other, both included; the first is the harmless one. */
    int between(int first, int last) {
        return first + below(last - first + 1);
    }

    /** Whether something happens that so many in a thousand have happen to them. */
    boolean chance(int permille) {
        return permille > 0 && below(PERMILLE) >= PERMILLE - permille;
    }

    /** One of them; the first is the harmless one. */
    @SafeVarargs
    final <T> T oneOf(T... candidates) {
        return candidates[below(candidates.length)];
    }

    /** What was chosen so far. */
    int[] taken() {
        return Arrays.copyOf(taken, size);
    }
}
