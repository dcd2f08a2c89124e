package io.asyncbatch.flink.simulation;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** How often what was reached, over many schedules. Used by one thread. */
final class Coverage {

    private final Map<String, Long> counts = new TreeMap<>();

    Coverage() {
        for (Reached state : Reached.values()) {
            counts.put(state.name(), 0L);
        }
    }

    void reach(Reached state) {
        counts.merge(state.name(), 1L, Long::sum);
    }

    void reachIf(boolean reached, Reached state) {
        if (reached) {
            reach(state);
        }
    }

    /** A counter of the operator's stood there when its life ended. */
    void count(String counter, long count) {
        counts.merge(counter, count, Long::sum);
    }

    /** What was never reached. */
    List<String> missing() {
        List<String> missing = new ArrayList<>();
        counts.forEach(
                (state, count) -> {
                    if (count == 0) {
                        missing.add(state);
                    }
                });
        return missing;
    }

    @Override
    public String toString() {
        StringBuilder table = new StringBuilder();
        counts.forEach((state, count) -> table.append("%14d  %s%n".formatted(count, state)));
        return table.toString();
    }
}
