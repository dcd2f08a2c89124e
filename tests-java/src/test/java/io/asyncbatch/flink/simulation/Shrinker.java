package io.asyncbatch.flink.simulation;

import java.util.Arrays;
import java.util.function.Predicate;

/**
 * Makes a sequence of choices smaller as long as its schedule does not hold: fewer choices first,
 * then fewer in the middle, then harmless ones. Used by one thread.
 */
final class Shrinker {

    private static final int MOST_TRIES = 4_000;
    private static final long MOST_NANOS = 30_000_000_000L;

    private final Predicate<int[]> fails;
    private int[] smallest;
    private int tries;
    private long began;

    /**
     * @param fails whether the schedule of a sequence does not hold
     */
    Shrinker(Predicate<int[]> fails) {
        this.fails = fails;
    }

    int[] shrink(int[] sequence) {
        smallest = sequence;
        began = System.nanoTime();
        boolean smaller = true;
        while (smaller && mayTry()) {
            int[] before = smallest;
            shortest();
            for (int block = Math.max(1, smallest.length / 2); block > 0; block /= 2) {
                without(block);
                harmless(block);
            }
            smaller = !Arrays.equals(before, smallest);
        }
        return smallest;
    }

    /** Bisects the length, zeros behind it. */
    private void shortest() {
        int holds = 0;
        int failing = smallest.length;
        while (holds + 1 < failing) {
            int middle = (holds + failing) >>> 1;
            if (accept(Arrays.copyOf(smallest, middle))) {
                failing = middle;
            } else {
                holds = middle;
            }
        }
    }

    private void without(int block) {
        for (int from = smallest.length - block; from >= 0; from -= block) {
            int[] shorter = new int[smallest.length - block];
            System.arraycopy(smallest, 0, shorter, 0, from);
            System.arraycopy(smallest, from + block, shorter, from, smallest.length - from - block);
            accept(shorter);
        }
    }

    private void harmless(int block) {
        for (int from = 0; from < smallest.length; from += block) {
            int[] simpler = smallest.clone();
            Arrays.fill(simpler, from, Math.min(simpler.length, from + block), 0);
            if (!Arrays.equals(simpler, smallest)) {
                accept(simpler);
            }
        }
    }

    private boolean mayTry() {
        return tries < MOST_TRIES && System.nanoTime() - began < MOST_NANOS;
    }

    private boolean accept(int[] candidate) {
        tries++;
        if (!mayTry() || !fails.test(candidate)) {
            return false;
        }
        smallest = candidate;
        return true;
    }
}
