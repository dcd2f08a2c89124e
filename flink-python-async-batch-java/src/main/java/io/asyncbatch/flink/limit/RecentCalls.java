package io.asyncbatch.flink.limit;

/** The last calls, as many as fit and as old as may be. Owned by one thread at a time. */
final class RecentCalls {

    private final long[] endedNanos;
    private final boolean[] failed;
    private final boolean[] slow;
    private final long longestNanos;
    private int oldest;
    private int calls;
    private int failures;
    private int slowCalls;

    RecentCalls(int most, long longestNanos) {
        this.endedNanos = new long[most];
        this.failed = new boolean[most];
        this.slow = new boolean[most];
        this.longestNanos = longestNanos;
    }

    void add(long nowNanos, boolean callFailed, boolean callSlow) {
        expire(nowNanos);
        if (calls == endedNanos.length) {
            dropOldest();
        }
        int next = (oldest + calls) % endedNanos.length;
        endedNanos[next] = nowNanos;
        failed[next] = callFailed;
        slow[next] = callSlow;
        calls++;
        failures += callFailed ? 1 : 0;
        slowCalls += callSlow ? 1 : 0;
    }

    void clear() {
        calls = 0;
        failures = 0;
        slowCalls = 0;
    }

    int calls() {
        return calls;
    }

    /** Share of the calls that failed; 0 if there is none. */
    double failureRate() {
        return calls == 0 ? 0 : (double) failures / calls;
    }

    /** Share of the calls that were slow; 0 if there is none. */
    double slowCallRate() {
        return calls == 0 ? 0 : (double) slowCalls / calls;
    }

    private void expire(long nowNanos) {
        while (calls > 0 && nowNanos - endedNanos[oldest] > longestNanos) {
            dropOldest();
        }
    }

    private void dropOldest() {
        failures -= failed[oldest] ? 1 : 0;
        slowCalls -= slow[oldest] ? 1 : 0;
        oldest = (oldest + 1) % endedNanos.length;
        calls--;
    }
}
