package io.asyncbatch.flink.operator.queue;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.Patience;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.inflight.RowOutput;
import io.asyncbatch.flink.operator.inflight.RowOutput.LetterInput;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.MockOutput;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class SeatQueueTest {

    /** However long a row before them takes: they hold no slot any more. */
    @Test
    void nothingIsKeptOfRowsThatHaveLeft() throws Exception {
        SeatQueue<Object, Object> queue = new SeatQueue<>(OutputMode.UNORDERED);
        queue.seat("first", new StreamRecord<>("first"));
        WeakReference<Object> result = letOneLeave(queue);
        Patience.await()
                .untilAsserted(
                        () -> {
                            System.gc();
                            assertThat(result.get()).isNull();
                        });
        List<Object> saved = new ArrayList<>();
        queue.save(saved::add);
        assertThat(saved).as("the row before it").hasSize(1);
    }

    private static WeakReference<Object> letOneLeave(SeatQueue<Object, Object> queue)
            throws Exception {
        // The output keeps a copy alone.
        Object result = new int[] {1};
        List<Object> output = new ArrayList<>();
        queue.settle(queue.seat("second", new StreamRecord<>("second")), result);
        queue.emit(
                10,
                new RowOutput<>(
                        new TimestampedCollector<>(new MockOutput<>(output)),
                        null,
                        LetterInput.ROW_ITSELF),
                batch -> {});
        assertThat(output).hasSize(1);
        return new WeakReference<>(result);
    }
}
