package io.asyncbatch.flink.worker.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.arrow.SharedRegions.Region;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SharedMemoryTest {

    private static final long BYTES = 4 * RegionTable.PAGE_BYTES;

    @TempDir Path directory;

    private MappedFiles files;

    @BeforeEach
    void createFiles() throws IOException {
        files = new MappedFiles(directory, BYTES);
    }

    @Test
    void inputsAreSeenByTheOtherSide() throws IOException {
        try (SharedMemory memory = files.map(1)) {
            Region first = memory.take(100);
            Region second = memory.take(5_000);
            second.bytes().put(4_999, (byte) 7);
            assertThat(first.offset()).isZero();
            assertThat(second.offset()).isEqualTo(4_096);
            assertThat(second.bytes().remaining()).isEqualTo(5_000);
            assertThat(files.readInput(4_096 + 4_999, 1)).containsExactly(7);
            assertThat(memory.takenBytes()).isEqualTo(4_096 + 8_192);
            assertThat(memory.sharedBatches()).isEqualTo(2);
            first.giveBack();
            assertThat(memory.take(4_096).offset()).isZero();
        }
    }

    @Test
    void resultsAreReadInPlaceAndNeverWritten() throws IOException {
        files.writeResult(100, new byte[] {1, 2, 3});
        try (SharedMemory memory = files.map(1)) {
            ByteBuffer result = memory.result(100, 3);
            assertThat(result).isEqualTo(ByteBuffer.wrap(new byte[] {1, 2, 3}));
            assertThatThrownBy(() -> result.put((byte) 0))
                    .isInstanceOf(ReadOnlyBufferException.class);
        }
    }

    @Test
    void onlyWhatIsWorthItIsShared() throws IOException {
        try (SharedMemory memory = files.map(1_000)) {
            assertThat(memory.take(999)).isNull();
            assertThat(memory.take(1_000)).isNotNull();
            assertThat(memory.take(BYTES)).isNull();
        }
    }

    @Test
    void refusesAPlaceOutsideOfTheMemory() throws IOException {
        try (SharedMemory memory = files.map(1)) {
            for (long[] place :
                    new long[][] {
                        {-1, 1}, {0, -1}, {0, BYTES + 1}, {BYTES, 1}, {Long.MAX_VALUE, 1}, {1, -8}
                    }) {
                assertThatThrownBy(() -> memory.result(place[0], place[1]))
                        .isInstanceOf(IOException.class)
                        .hasMessageContaining("offset " + place[0])
                        .hasMessageContaining("16384 bytes");
            }
        }
    }

    @Test
    void refusesAFileOfAnotherSize() throws IOException {
        files.resizeResults(BYTES - 1);
        assertThatThrownBy(() -> files.map(1))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("should have 16384 bytes, and has 16383");
    }

    @Test
    void refusesAProcessThatIsNotThere() {
        assertThatThrownBy(() -> SharedMemory.map(Integer.MAX_VALUE, 1, 2, BYTES, 1))
                .isInstanceOf(IOException.class);
    }

    @Test
    void nothingIsTakenOnceClosed() throws IOException {
        SharedMemory memory = files.map(1);
        memory.close();
        memory.close();
        assertThat(memory.take(1)).isNull();
        assertThatThrownBy(() -> memory.result(0, 1)).hasMessageContaining("closed");
    }
}
