package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.DeadLetters;
import io.asyncbatch.flink.operator.state.FailedRow;
import java.io.Serializable;
import java.time.Instant;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.types.Row;
import org.apache.flink.types.RowKind;
import org.apache.flink.util.OutputTag;

/**
 * Where rows leave to: results to the operator's output, dead letters to its side output. Owned by
 * the mailbox thread.
 *
 * @param <OUT> type of the outputs
 */
@Internal
public final class RowOutput<OUT> {

    private final TimestampedCollector<OUT> collector;
    @Nullable private final OutputTag<Row> deadLetters;
    private final LetterInput letterInput;

    /** What a dead letter shows of a row. Travels with the job graph. */
    @FunctionalInterface
    public interface LetterInput extends Serializable {

        LetterInput ROW_ITSELF = row -> row;

        Object of(Object row);
    }

    /**
     * @param deadLetters the side output of rows that failed; null to leave them out
     */
    public RowOutput(
            TimestampedCollector<OUT> collector,
            @Nullable OutputTag<Row> deadLetters,
            LetterInput letterInput) {
        this.collector = collector;
        this.deadLetters = deadLetters;
        this.letterInput = letterInput;
    }

    /** The operator's output, for what is no row. */
    public TimestampedCollector<OUT> collector() {
        return collector;
    }

    /** Lets a result leave. */
    public void result(@Nullable OUT result, boolean hasTimestamp, long timestamp) {
        if (hasTimestamp) {
            collector.setAbsoluteTimestamp(timestamp);
        } else {
            collector.eraseTimestamp();
        }
        collector.collect(result);
    }

    /** Lets a row without a result leave, if such rows do. */
    public void failure(Object input, FailedRow failure, boolean hasTimestamp, long timestamp) {
        if (deadLetters == null) {
            return;
        }
        Row letter = Row.withPositions(RowKind.INSERT, DeadLetters.ARITY);
        letter.setField(0, letterInput.of(input));
        letter.setField(1, failure.kind().name());
        letter.setField(2, failure.errorClass());
        letter.setField(3, failure.message());
        letter.setField(4, failure.attempts());
        letter.setField(5, Instant.ofEpochMilli(failure.atMillis()));
        collector.collect(
                deadLetters,
                hasTimestamp ? new StreamRecord<>(letter, timestamp) : new StreamRecord<>(letter));
    }
}
