package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.state.SavedEntry;
import io.asyncbatch.flink.operator.queue.Fence;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.util.OutputTag;

/**
 * Lets rows leave in any order, but each before the watermarks that came after it and after those
 * that came before it. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class EmissionQueue<IN, OUT> {

    private final ArrayDeque<Segment> segments = new ArrayDeque<>();
    private final SideOutputs<IN> sideOutputs;

    public EmissionQueue(SideOutputs<IN> sideOutputs) {
        this.sideOutputs = sideOutputs;
        segments.add(new Segment());
    }

    /** A row has come. */
    public Segment arrived() {
        return arrived(1);
    }

    /** Some rows have come. */
    public Segment arrived(int rows) {
        Segment last = segments.getLast();
        last.rows += rows;
        return last;
    }

    /** A row has what it was waiting for. */
    public void ready(Segment segment, Departure<IN, OUT> departure) {
        segment.ready.add(departure);
    }

    /**
     * Somebody else waits for a job's results.
     *
     * @param announcement what leaves besides the rows, where the first of them does
     */
    public void created(BatchJob<IN> job, OUT announcement) {
        for (int place = 0; place < job.rows.size(); place++) {
            WaitingRow<IN> row = job.rows.get(place);
            ready(row.segment(), row.submitted(job.customId(place)));
        }
        Segment first = job.rows.get(0).segment();
        first.rows++;
        ready(first, new Departure<>(announcement, null, null, false, 0));
    }

    /** Something that no row may overtake has come. */
    public void fence(Consumer<Fence> content) {
        Segment last = segments.removeLast();
        Segment before = segments.peekLast();
        if (last.rows == 0 && before != null) {
            content.accept(before.end);
            segments.add(last);
            return;
        }
        last.end = new Fence(0);
        content.accept(last.end);
        segments.add(last);
        segments.add(new Segment());
    }

    /** Whether nothing is held back. */
    public boolean isEmpty() {
        return segments.size() == 1 && segments.getFirst().rows == 0;
    }

    public boolean canEmit() {
        Segment first = segments.getFirst();
        return !first.ready.isEmpty() || (first.rows == 0 && first.end != null);
    }

    /**
     * Lets what may leave do so.
     *
     * @param most rows and fences to emit at most
     */
    @SuppressWarnings("unchecked")
    public void emit(int most, TimestampedCollector<OUT> collector) {
        for (int left = most; left > 0 && canEmit(); left--) {
            Segment first = segments.getFirst();
            if (first.ready.isEmpty()) {
                segments.remove();
                first.end.emit(collector);
                continue;
            }
            Departure<IN, OUT> departure = (Departure<IN, OUT>) first.ready.remove();
            first.rows--;
            emit(departure, collector);
        }
    }

    private void emit(Departure<IN, OUT> departure, TimestampedCollector<OUT> collector) {
        if (departure.failure() != null) {
            emit(sideOutputs.failedRows(), departure.failure(), departure, collector);
            return;
        }
        if (departure.submitted() != null) {
            emit(sideOutputs.submittedRows(), departure.submitted(), departure, collector);
            return;
        }
        if (departure.hasTimestamp()) {
            collector.setAbsoluteTimestamp(departure.timestamp());
        } else {
            collector.eraseTimestamp();
        }
        collector.collect(departure.result());
    }

    private <T> void emit(
            OutputTag<T> sideOutput,
            T value,
            Departure<IN, OUT> departure,
            TimestampedCollector<OUT> collector) {
        StreamRecord<T> record = new StreamRecord<>(value);
        if (departure.hasTimestamp()) {
            record.setTimestamp(departure.timestamp());
        }
        collector.collect(sideOutput, record);
    }

    // ----------------------------------------------------------------- state

    /** Saves what is ready and the watermarks, and numbers the segments for all other rows. */
    @SuppressWarnings("unchecked")
    public void save(Consumer<SavedEntry<IN, OUT>> snapshot) {
        int number = 0;
        for (Segment segment : segments) {
            segment.savedNumber = number;
            for (Departure<?, ?> ready : segment.ready) {
                snapshot.accept(save((Departure<IN, OUT>) ready, number));
            }
            // Status and attributes are no state: a restored idleness that nobody takes back would
            // hold all watermarks back for ever.
            if (segment.end != null && segment.end.watermark() != null) {
                snapshot.accept(
                        new SavedEntry.Mark<>(number, segment.end.watermark().getTimestamp()));
                number++;
            }
        }
    }

    private static <IN, OUT> SavedEntry<IN, OUT> save(Departure<IN, OUT> ready, int number) {
        if (ready.failure() != null) {
            return new SavedEntry.Failure<>(
                    ready.failure(), ready.hasTimestamp(), ready.timestamp(), number);
        }
        if (ready.submitted() != null) {
            return new SavedEntry.Submitted<>(
                    ready.submitted(), ready.hasTimestamp(), ready.timestamp(), number);
        }
        return new SavedEntry.Result<>(
                ready.result(), ready.hasTimestamp(), ready.timestamp(), number);
    }

    /**
     * Makes the segments of a snapshot; to be called once, before anything else.
     *
     * @return the segments by number. A number past the end means the last one
     */
    public List<Segment> restore(List<SavedEntry.Mark<IN, OUT>> marks) {
        List<Segment> restored = new ArrayList<>();
        for (SavedEntry.Mark<IN, OUT> mark : marks) {
            Segment segment = segments.getLast();
            segment.end = new Fence(0);
            segment.end.add(new Watermark(mark.timestamp()));
            segments.add(new Segment());
            restored.add(segment);
        }
        restored.add(segments.getLast());
        return restored;
    }
}
