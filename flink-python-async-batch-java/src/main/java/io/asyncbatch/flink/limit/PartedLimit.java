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
    private final Map<Object, Group> byGroup = new HashMap<>();
    private volatile int limit = 1;

    /**
     * @param present who may still make calls
     * @param sum their parts, and those of who left them his
     */
    private record Group(int present, int sum) {}

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
        byGroup.merge(
                group,
                new Group(1, part),
                (all, one) -> new Group(all.present + 1, all.sum + part));
        limit = largest();
    }

    /** Somebody who came with that goes elsewhere, and takes it with him. */
    public synchronized void remove(Object group, int part) {
        leave(group, part);
    }

    /**
     * Somebody has made all his calls. Nobody else in the cluster needs his part, so it is for the
     * others of his group until the last of them leaves.
     */
    public synchronized void finish(Object group) {
        leave(group, 0);
    }

    private void leave(Object group, int part) {
        byGroup.computeIfPresent(
                group,
                (key, all) -> all.present == 1 ? null : new Group(all.present - 1, all.sum - part));
        limit = largest();
    }

    private int largest() {
        int sum = byGroup.values().stream().mapToInt(Group::sum).max().orElse(1);
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
