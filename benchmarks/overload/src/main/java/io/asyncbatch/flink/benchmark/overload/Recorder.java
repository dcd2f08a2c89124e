package io.asyncbatch.flink.benchmark.overload;

import java.util.Arrays;

/** What one client did, second by second, and how long its batches took. */
final class Recorder {

    private final double measuredFrom;
    private final long[] rows;
    private final int[] calls;
    private final int[] failures;
    private final int[] limits;
    private final LatencyList[] latencies;
    private final LatencyList measured = new LatencyList();

    /** Milliseconds, as many as there come. */
    static final class LatencyList {
        private double[] millis = new double[64];
        private int size;

        void add(double value) {
            if (size == millis.length) {
                millis = Arrays.copyOf(millis, 2 * size);
            }
            millis[size++] = value;
        }

        void addAll(LatencyList other) {
            for (int i = 0; i < other.size; i++) {
                add(other.millis[i]);
            }
        }

        /** The nearest rank; 0 if there is none. */
        double quantile(double share) {
            if (size == 0) {
                return 0;
            }
            double[] sorted = Arrays.copyOf(millis, size);
            Arrays.sort(sorted);
            return sorted[Math.min(size - 1, (int) Math.ceil(share * size) - 1)];
        }
    }

    Recorder(Trace trace) {
        int seconds = (int) Math.ceil(trace.seconds());
        this.measuredFrom = trace.measuredFrom();
        this.rows = new long[seconds];
        this.calls = new int[seconds];
        this.failures = new int[seconds];
        this.limits = new int[seconds];
        this.latencies = new LatencyList[seconds];
        Arrays.setAll(latencies, second -> new LatencyList());
    }

    void called(double at) {
        calls[second(at)]++;
    }

    void failed(double at) {
        failures[second(at)]++;
    }

    void limit(double at, int limit) {
        limits[second(at)] = limit;
    }

    void done(VirtualTime time, int batchRows, long nanos) {
        double millis = nanos / 1e6;
        rows[second(time.seconds())] += batchRows;
        latencies[second(time.seconds())].add(millis);
        if (time.seconds() >= measuredFrom) {
            measured.add(millis);
        }
    }

    private int second(double at) {
        return Math.min(rows.length - 1, (int) at);
    }

    long[] rows() {
        return rows;
    }

    int[] calls() {
        return calls;
    }

    int[] failures() {
        return failures;
    }

    int[] limits() {
        return limits;
    }

    LatencyList[] latencies() {
        return latencies;
    }

    LatencyList measured() {
        return measured;
    }
}
