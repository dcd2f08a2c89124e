package io.asyncbatch.flink.benchmark.stream;

import org.apache.flink.api.common.accumulators.Histogram;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RichMapFunction;

/**
 * Records how old the last row of every burst is, in microseconds, and passes all rows on. Rows are
 * {@link NanoStamps} of the same virtual machine, in whole bursts. Owned by the task thread.
 *
 * <p>The ages are the job's accumulator {@link #ACCUMULATOR}, a count for each age.
 */
public final class AgeRecorder extends RichMapFunction<Long, Long> {

    public static final String ACCUMULATOR = "ages";

    private static final long serialVersionUID = 1L;
    private static final int MOST_MICROS = 1_000_000;

    private final int burst;
    private final long skippedRows;

    private transient Histogram ages;
    private transient int[] counts;
    private transient long rows;

    /**
     * @param burst rows of a burst
     * @param skippedBursts bursts at the beginning that are not recorded
     */
    public AgeRecorder(int burst, int skippedBursts) {
        this.burst = burst;
        this.skippedRows = (long) burst * skippedBursts;
    }

    @Override
    public void open(OpenContext context) {
        counts = new int[MOST_MICROS];
        ages = new Histogram();
        getRuntimeContext().addAccumulator(ACCUMULATOR, ages);
    }

    @Override
    public Long map(Long stamp) {
        rows++;
        if (rows % burst == 0 && rows > skippedRows) {
            long micros = (System.nanoTime() - stamp) / 1000;
            counts[(int) Math.min(micros, MOST_MICROS - 1)]++;
        }
        return stamp;
    }

    /** Not row by row: Flink sends accumulators to the JobManager again and again. */
    @Override
    public void close() {
        if (counts == null) {
            return;
        }
        for (int micros = 0; micros < counts.length; micros++) {
            for (int i = 0; i < counts[micros]; i++) {
                ages.add(micros);
            }
        }
        counts = null;
    }
}
