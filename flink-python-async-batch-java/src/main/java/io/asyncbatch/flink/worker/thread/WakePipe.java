package io.asyncbatch.flink.worker.thread;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The end of a pipe that wakes Python's event loop, which watches the other one. Writing takes no
 * lock of the interpreter. Never full, as its owner writes one byte for each time the loop has
 * read.
 */
final class WakePipe implements AutoCloseable {

    private final FileChannel channel;

    private WakePipe(FileChannel channel) {
        this.channel = channel;
    }

    /**
     * Opens the pipe once more, so that each side closes what it has opened itself.
     *
     * @param descriptor of the end for writing, open in this process during the call
     */
    static WakePipe open(long descriptor) throws IOException {
        return new WakePipe(
                FileChannel.open(
                        Path.of("/proc/self/fd", Long.toString(descriptor)),
                        StandardOpenOption.WRITE));
    }

    void wake() throws IOException {
        channel.write(ByteBuffer.wrap(new byte[1]));
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
