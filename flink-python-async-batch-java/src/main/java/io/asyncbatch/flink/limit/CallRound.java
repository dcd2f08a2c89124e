package io.asyncbatch.flink.limit;

/** Calls that began under the same limit, to be judged together. Owned by one thread at a time. */
final class CallRound {

    /** More would only make the mean more exact than it needs to be. */
    static final int MOST_CALLS = 64;

    private final long beginsNanos;
    private final double[] sizes = new double[MOST_CALLS];
    private final double[] nanos = new double[MOST_CALLS];
    private int calls;
    private long inFlight;

    /**
     * @param beginsNanos calls that began before are of another round
     */
    CallRound(long beginsNanos) {
        this.beginsNanos = beginsNanos;
    }

    /** Adds the call if it is of this round. */
    void offer(EndedCall call, double size) {
        if (call.startedNanos() - beginsNanos >= 0 && calls < MOST_CALLS) {
            sizes[calls] = size;
            nanos[calls] = call.nanos();
            inFlight += call.inFlight();
            calls++;
        }
    }

    int calls() {
        return calls;
    }

    double meanInFlight() {
        return (double) inFlight / calls;
    }

    double meanSize() {
        double sum = 0;
        for (int i = 0; i < calls; i++) {
            sum += sizes[i];
        }
        return sum / calls;
    }

    double meanNanos() {
        double sum = 0;
        for (int i = 0; i < calls; i++) {
            sum += nanos[i];
        }
        return sum / calls;
    }

    /** How many times longer the calls took than the model expects of their batches. */
    double stretch(BatchCostModel model) {
        double taken = 0;
        double expected = 0;
        for (int i = 0; i < calls; i++) {
            taken += nanos[i];
            expected += model.expectedNanos(sizes[i]);
        }
        return expected <= 0 ? 1 : taken / expected;
    }

    /**
     * By how much the {@link #stretch} of such a round differs from the true one, as calls differ.
     */
    double standardError(BatchCostModel model) {
        double sum = 0;
        double squares = 0;
        for (int i = 0; i < calls; i++) {
            double ratio = nanos[i] / Math.max(1, model.expectedNanos(sizes[i]));
            sum += ratio;
            squares += ratio * ratio;
        }
        double mean = sum / calls;
        return mean <= 0 ? 0 : Math.sqrt(Math.max(0, squares / calls - mean * mean) / calls) / mean;
    }

    void teach(BatchCostModel model) {
        for (int i = 0; i < calls; i++) {
            model.observe(sizes[i], nanos[i]);
        }
    }
}
