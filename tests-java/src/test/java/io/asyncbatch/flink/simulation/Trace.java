package io.asyncbatch.flink.simulation;

import java.util.ArrayList;
import java.util.List;
import java.util.function.LongSupplier;

/** What happened in a schedule, line by line, where somebody wants to read it. One thread. */
final class Trace {

    private static final int FIRST_SHOWN = 100;
    private static final int LAST_SHOWN = 400;

    private final boolean isWanted;
    private final List<String> lines = new ArrayList<>();
    private LongSupplier micros = () -> 0;

    /** A number that differs where what happened does. */
    private long digest;

    Trace(boolean isWanted) {
        this.isWanted = isWanted;
    }

    void startAt(LongSupplier elapsedMicros) {
        micros = elapsedMicros;
    }

    void say(String format, Object... details) {
        digest = 31 * digest + micros.getAsLong();
        digest = 31 * digest + format.hashCode();
        for (Object detail : details) {
            if (detail instanceof String || detail instanceof Number) {
                digest = 31 * digest + detail.hashCode();
            }
        }
        if (isWanted) {
            long now = micros.getAsLong();
            lines.add(
                    "%6d.%03d ms  %s"
                            .formatted(now / 1_000, now % 1_000, format.formatted(details)));
        }
    }

    /** All of them, or the first and the last where there are too many to read. */
    List<String> lines() {
        int left = lines.size() - FIRST_SHOWN - LAST_SHOWN;
        if (left <= 0) {
            return lines;
        }
        List<String> shown = new ArrayList<>(lines.subList(0, FIRST_SHOWN));
        shown.add("                 (%d lines)".formatted(left));
        shown.addAll(lines.subList(FIRST_SHOWN + left, lines.size()));
        return shown;
    }

    long digest() {
        return digest;
    }
}
