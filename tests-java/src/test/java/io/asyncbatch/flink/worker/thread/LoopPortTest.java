package io.asyncbatch.flink.worker.thread;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.arrow.BridgeAllocator;
import io.asyncbatch.flink.arrow.LentBatch;
import io.asyncbatch.flink.arrow.RecordBatchReader;
import io.asyncbatch.flink.arrow.RecordBatchWriter;
import io.asyncbatch.flink.proto.FrameHeader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.flink.api.common.typeinfo.Types;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class LoopPortTest {

    private static final byte[] DESCRIPTION = {1, 2, 3};

    @TempDir Path temporary;

    private final BridgeAllocator memory = new BridgeAllocator("test", Long.MAX_VALUE);
    private final BufferAllocator batches = memory.child("batches", Long.MAX_VALUE);
    private final BufferAllocator loops = memory.child("loop", Long.MAX_VALUE);
    private final RecordBatchWriter<Long> writer = RecordBatchWriter.create(Types.LONG, batches);
    private final RecordBatchReader<Long> reader = RecordBatchReader.create(Types.LONG, loops);
    private final List<Long> answered = new ArrayList<>();
    private final List<List<Long>> results = new ArrayList<>();
    private final LoopPort port = new LoopPort(DESCRIPTION, null, "/archives", this::answered);
    private WokenLoop loop;

    private void answered(FrameHeader header, long struct) {
        answered.add(header.getBatchId());
        results.add(struct == 0 ? null : reader.read(struct, header.getRowCount()));
    }

    private void attach() throws Exception {
        loop = new WokenLoop(port, loops, temporary);
    }

    /** The allocator itself fails if anything is held. */
    @AfterEach
    void leavesNothingAllocated() throws Exception {
        port.close();
        loop.close();
        writer.close();
        reader.close();
        memory.close();
    }

    @Test
    void tellsWhatTheLoopHasToKnow() throws Exception {
        attach();
        assertThat(loop.ask("description")).isEqualTo(DESCRIPTION);
        assertThat(loop.ask("metrics")).isNull();
        assertThat(loop.ask("workingDirectory")).isEqualTo("/archives");
    }

    /** Else Python would hold on to the class loader of a job that has long ended. */
    @Test
    void showsPythonNoClassOfTheJob() throws Exception {
        attach();
        assertThat(port.door().getClass().getClassLoader())
                .isEqualTo(ClassLoader.getPlatformClassLoader());
    }

    @Test
    void lendsRequestsInTheirOrder() throws Exception {
        attach();
        port.submit(header(1, 2), batch(1, 2));
        port.submit(header(2, 0), null);
        port.submit(header(3, 1), batch(3));
        assertThat(loop.poll()).isEqualTo(header(1, 2));
        long first = loop.lent();
        assertThat(loop.read(reader, 2)).containsExactly(1L, 2L);
        assertThat(loop.poll()).isEqualTo(header(2, 0));
        assertThat(loop.poll()).isEqualTo(header(3, 1));
        assertThat(loop.read(reader, 1)).containsExactly(3L);
        loop.release(loop.lent());
        assertThat(batches.getAllocatedMemory()).isPositive();
        loop.release(first);
        assertThat(batches.getAllocatedMemory()).isZero();
        assertThat(loop.poll()).isNull();
    }

    @Test
    void wakesTheLoopOnceUntilItHasFetchedAll() throws Exception {
        attach();
        port.submit(header(1, 0), null);
        port.submit(header(2, 0), null);
        assertThat(loop.awaitWake()).isEqualTo(1);
        assertThat(loop.poll()).isNotNull();
        port.submit(header(3, 0), null);
        assertThat(loop.poll()).isNotNull();
        assertThat(loop.poll()).isNotNull();
        assertThat(loop.poll()).isNull();
        port.submit(header(4, 0), null);
        assertThat(loop.awaitWake()).isEqualTo(1);
    }

    @Test
    void wakesALoopThatComesLater() throws Exception {
        port.submit(header(1, 1), batch(1));
        attach();
        assertThat(loop.awaitWake()).isEqualTo(1);
        assertThat(loop.poll()).isEqualTo(header(1, 1));
        loop.release(loop.lent());
    }

    @Test
    void passesAnswersOnAtOnce() throws Exception {
        attach();
        loop.answer(header(1, 2), batch(1, 2));
        loop.answer(header(2, 0));
        assertThat(answered).containsExactly(1L, 2L);
        assertThat(results).containsExactly(List.of(1L, 2L), null);
    }

    @Test
    void dropsAnswersOnceItIsClosed() throws Exception {
        attach();
        port.close();
        port.close();
        loop.answer(header(1, 1), batch(1));
        loop.answer(header(2, 0));
        assertThat(answered).isEmpty();
    }

    @Test
    void releasesWhatTheLoopHasNotFetched() throws Exception {
        attach();
        port.submit(header(1, 1), batch(1));
        port.submit(header(2, 1), batch(2));
        loop.poll();
        port.close();
        port.submit(header(3, 1), batch(3));
        assertThat(loop.poll()).isNull();
        assertThat(loop.read(reader, 1)).containsExactly(1L);
        loop.release(loop.lent());
        assertThat(batches.getAllocatedMemory()).isZero();
    }

    @Test
    void keepsTheOrderToLeaveForALoopThatComesLate() throws Exception {
        attach();
        port.submit(header(1, 1), batch(1));
        port.submit(header(2, 0), null);
        port.close();
        assertThat(loop.poll()).isEqualTo(header(2, 0));
        assertThat(loop.poll()).isNull();
    }

    private static FrameHeader header(long batchId, int rows) {
        return FrameHeader.newBuilder().setBatchId(batchId).setRowCount(rows).build();
    }

    private LentBatch batch(long... values) {
        return writer.lend(Arrays.stream(values).boxed().toList());
    }
}
