package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.operator.buffer.BatchRows;
import io.asyncbatch.flink.operator.buffer.RowTimestamps;
import io.asyncbatch.flink.operator.flow.RowFlow;
import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * Puts the rows of a snapshot where they were: inputs into batches to be computed, results and
 * failures behind each other into the queue, watermarks between them. Used once, by the mailbox
 * thread.
 */
final class RestoredRows<IN, OUT> {

    private final RowFlow<IN, OUT> flow;
    private final OnFailure onFailure;

    private final StreamRecord<IN> input = new StreamRecord<>(null);

    /** Results that follow each other, to leave together. */
    private List<OUT> results = new ArrayList<>();

    private RowTimestamps resultTimestamps = new RowTimestamps(0);

    /**
     * @param onFailure what now becomes of rows that had failed
     */
    RestoredRows(RowFlow<IN, OUT> flow, OnFailure onFailure) {
        this.flow = flow;
        this.onFailure = onFailure;
    }

    void add(SavedElement<IN, OUT> element) throws Exception {
        if (element instanceof SavedElement.Result<IN, OUT> result) {
            addResult(result);
            return;
        }
        end();
        if (element instanceof SavedElement.Input<IN, OUT> row) {
            addInput(row.value(), row.hasTimestamp(), row.timestamp());
        } else if (element instanceof SavedElement.Failed<IN, OUT> row) {
            addFailed(row);
        } else if (element instanceof SavedElement.Mark<IN, OUT> mark) {
            flow.add(new Watermark(mark.timestamp()));
        }
    }

    private void addResult(SavedElement.Result<IN, OUT> result) {
        results.add(result.value());
        if (result.hasTimestamp()) {
            resultTimestamps.add(result.timestamp());
        } else {
            resultTimestamps.addMissing();
        }
    }

    private void addInput(IN value, boolean hasTimestamp, long timestamp) throws Exception {
        flow.add(value, record(value, hasTimestamp, timestamp));
    }

    /** Where failures are no longer contained, the row gets another chance to succeed. */
    private void addFailed(SavedElement.Failed<IN, OUT> row) throws Exception {
        if (onFailure == OnFailure.FAIL) {
            addInput(row.value(), row.hasTimestamp(), row.timestamp());
            return;
        }
        flow.addFailed(
                BatchRows.of(row.value(), record(row.value(), row.hasTimestamp(), row.timestamp())),
                row.failure());
    }

    private StreamRecord<IN> record(IN value, boolean hasTimestamp, long timestamp) {
        input.replace(value);
        if (hasTimestamp) {
            input.setTimestamp(timestamp);
        } else {
            input.eraseTimestamp();
        }
        return input;
    }

    /** Nothing follows the results that have been added last. */
    void end() throws Exception {
        if (!results.isEmpty()) {
            flow.addResults(results, resultTimestamps);
            results = new ArrayList<>();
            resultTimestamps = new RowTimestamps(0);
        }
    }
}
