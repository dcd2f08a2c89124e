package io.asyncbatch.flink.operator.flow;

import io.asyncbatch.flink.operator.buffer.BatchWeights;
import io.asyncbatch.flink.operator.queue.Seat;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.api.java.functions.KeySelector;

/**
 * Which rows wait for the outcome of an equal one. The first row of a key leads, until its outcome
 * is known; those that come meanwhile follow it. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class Coalescer<IN, OUT> {

    private record Group<IN, OUT>(Object key, List<Seat<IN, OUT>> followers) {}

    private final KeySelector<IN, ?> selector;
    private final Map<Object, Group<IN, OUT>> byKey = new HashMap<>();
    private final Map<Seat<IN, OUT>, Group<IN, OUT>> byLeader = new HashMap<>();

    Coalescer(KeySelector<IN, ?> selector) {
        this.selector = selector;
    }

    /** What makes the row equal to others; null if it is equal to none. */
    @Nullable
    Object keyOf(IN row) {
        Object key;
        try {
            key = selector.getKey(row);
        } catch (Exception e) {
            throw new IllegalStateException(
                    "coalesce_key failed for a row of "
                            + BatchWeights.typeOf(row)
                            + ": "
                            + e.getClass().getName(),
                    e);
        }
        if (key instanceof byte[] bytes) {
            return ByteBuffer.wrap(bytes);
        }
        if (key != null && key.getClass().isArray()) {
            throw new IllegalStateException(
                    "coalesce_key must return null, bytes or a value whose equals looks at its"
                            + " content, got "
                            + key.getClass().getTypeName()
                            + " for a row of "
                            + BatchWeights.typeOf(row));
        }
        return key;
    }

    /**
     * Has the row follow the one that leads its key, or lead it if none does.
     *
     * @return whether it follows
     */
    boolean follows(Seat<IN, OUT> row, Object key) {
        Group<IN, OUT> group = byKey.get(key);
        if (group != null) {
            group.followers().add(row);
            return true;
        }
        Group<IN, OUT> led = new Group<>(key, new ArrayList<>(0));
        byKey.put(key, led);
        byLeader.put(row, led);
        return false;
    }

    /**
     * The outcome of a row is known. If it leads, it does no longer.
     *
     * @return those that followed it
     */
    List<Seat<IN, OUT>> ended(Seat<IN, OUT> row) {
        Group<IN, OUT> group = byLeader.remove(row);
        if (group == null) {
            return List.of();
        }
        byKey.remove(group.key());
        return group.followers();
    }
}
