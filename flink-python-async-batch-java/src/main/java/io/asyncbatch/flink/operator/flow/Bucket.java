package io.asyncbatch.flink.operator.flow;

import io.asyncbatch.flink.operator.buffer.BatchFormer;
import io.asyncbatch.flink.operator.queue.Seat;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;

/**
 * The batch that is forming of one kind of rows, and their seats. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class Bucket<IN, OUT> {

    private final BatchFormer<IN> former;
    private final ArrayDeque<Seat<IN, OUT>> forming = new ArrayDeque<>();

    Bucket(SeatFlow<IN, OUT> flow, FlowContext<IN, OUT> context) {
        this.former =
                context.former(
                        (rows, reason, openedNanos) ->
                                flow.onClosed(rows, seats(rows.size()), reason, openedNanos));
    }

    /** Those of a batch that closes: they were added first. */
    private List<Seat<IN, OUT>> seats(int count) {
        List<Seat<IN, OUT>> closed = new ArrayList<>(count);
        for (int row = 0; row < count; row++) {
            closed.add(forming.remove());
        }
        return closed;
    }

    BatchFormer<IN> former() {
        return former;
    }

    void add(Seat<IN, OUT> seat, StreamRecord<?> record, long bytes, long weight) throws Exception {
        forming.add(seat);
        former.add(seat.input(), record, bytes, weight);
    }

    /** Position of the first row that is forming; larger than every position if there is none. */
    long firstPosition() {
        return forming.isEmpty() ? Long.MAX_VALUE : forming.peek().position();
    }
}
