package io.asyncbatch.flink.worker.thread;

import io.asyncbatch.flink.arrow.LentBatch;
import io.asyncbatch.flink.arrow.RecordBatchReader;
import io.asyncbatch.flink.proto.FrameHeader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.util.MemoryUtil;

/** Stands in for Python's event loop: its end of the pipe and its structs. For one thread. */
public final class WokenLoop implements AutoCloseable {

    private static final int STRUCT_BYTES = 80;
    private static final int PRIVATE_DATA = 72;
    private static final long LET_GO = 0x1234;

    private final BiFunction<Object, Object, Object> door;
    private final FileChannel pipe;
    private final ArrowBuf incoming;
    private final ArrowBuf outgoing;

    /** Attaches to the port. */
    @SuppressWarnings("unchecked")
    public WokenLoop(LoopPort port, BufferAllocator allocator, Path directory)
            throws IOException, InterruptedException {
        Path fifo = directory.resolve("wake");
        new ProcessBuilder("mkfifo", fifo.toString()).inheritIO().start().waitFor();
        // For both: opening one end alone would wait for the other.
        this.pipe = FileChannel.open(fifo, StandardOpenOption.READ, StandardOpenOption.WRITE);
        this.door = (BiFunction<Object, Object, Object>) port.door();
        this.incoming = allocator.buffer(STRUCT_BYTES);
        this.outgoing = allocator.buffer(STRUCT_BYTES);
        door.apply(
                "attach",
                ByteBuffer.allocate(4 * Long.BYTES)
                        .order(ByteOrder.nativeOrder())
                        .putLong(descriptorOf(fifo))
                        .putLong(incoming.memoryAddress())
                        .putLong(outgoing.memoryAddress())
                        .putLong(LET_GO)
                        .array());
    }

    private static int descriptorOf(Path file) throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors
                    .filter(descriptor -> pointsTo(descriptor, file))
                    .mapToInt(descriptor -> Integer.parseInt(descriptor.getFileName().toString()))
                    .findFirst()
                    .orElseThrow();
        }
    }

    private static boolean pointsTo(Path descriptor, Path file) {
        try {
            return Files.readSymbolicLink(descriptor).equals(file.toRealPath());
        } catch (IOException e) {
            return false;
        }
    }

    /** Waits until it is woken, and says how often that was. */
    public int awaitWake() throws IOException {
        return pipe.read(ByteBuffer.allocate(16));
    }

    /** What the port says when it is asked for something. */
    public Object ask(String name) {
        return door.apply(name, null);
    }

    /** The next request's header, or null; its batch is lent from now on. */
    public FrameHeader poll() throws IOException {
        byte[] header = (byte[]) ask("poll");
        return header == null ? null : FrameHeader.parseFrom(header);
    }

    /** The number of the batch that was polled last. */
    public long lent() {
        return MemoryUtil.getLong(incoming.memoryAddress() + PRIVATE_DATA);
    }

    /** The elements of the batch that was polled last. */
    public <T> List<T> read(RecordBatchReader<T> reader, int rows) {
        return reader.read(incoming.memoryAddress(), rows);
    }

    /** Lets go of a batch. */
    public void release(long lent) {
        door.apply("release", lent);
    }

    /** Answers without results. */
    public void answer(FrameHeader header) {
        door.apply("answer", header.toByteArray());
    }

    /** Answers with results. */
    public void answer(FrameHeader header, LentBatch results) {
        try (results) {
            results.lend(outgoing.memoryAddress(), LET_GO, 1);
            door.apply("answerBatch", header.toByteArray());
        }
    }

    @Override
    public void close() throws IOException {
        incoming.close();
        outgoing.close();
        pipe.close();
    }
}
