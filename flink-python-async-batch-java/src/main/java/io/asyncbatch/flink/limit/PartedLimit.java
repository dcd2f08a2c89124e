package io.asyncbatch.flink.limit;

import java.util.HashMap;
import java.util.Map;
import org.apache.flink.annotation.Internal;

/**
 * A limit that somebody chose for a whole cluster, in a JVM that has only some of those who share
 * it. Each brings his {@linkplain StaticSplit part}. Groups that name the same backend have chosen
 * the same whole together, so it is the largest sum of a group that counts here, not all of them,
 * and never more than the whole. Thread-safe.
 */
@Internal
public final class PartedLimit implements ConcurrencyLimit {

    private final int whole;
    private final Map<Object, Integer> byGroup = new HashMap<>();
    private volatile int limit = 1;

    /**
     * @param whole what the cluster has, at least 1
     */
    public PartedLimit(int whole) {
        this.whole = whole;
    }

    /**
     * Somebody comes.
     *
     * @param group those whose parts make up the whole
     * @param part at least 1
     */
    public synchronized void add(Object group, int part) {
        byGroup.merge(group, part, Integer::sum);
        limit = largest();
    }

    /** Somebody who came with that leaves. */
    public synchronized void remove(Object group, int part) {
        byGroup.computeIfPresent(group, (key, sum) -> sum == part ? null : sum - part);
        limit = largest();
    }

    private int largest() {
        int sum = byGroup.values().stream().mapToInt(Integer::intValue).max().orElse(1);
        return Math.min(whole, sum);
    }

    @Override
    public int limit() {
        return limit;
    }

    @Override
    public void onCallEnded(EndedCall call) {
        // Whatever happens.
    }
}
