package io.asyncbatch.flink.worker.channel;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import io.asyncbatch.flink.proto.FrameHeader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Deque;
import javax.annotation.Nullable;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.flink.annotation.Internal;

/**
 * The operator's end of a batch channel. One thread of its own reads frames and hands them to the
 * {@link Listener}; any thread may send.
 *
 * <p>Sending never blocks: what the socket does not take at once waits in a queue that the
 * channel's thread writes out. The queue needs no bound of its own, as the operator bounds batches
 * in flight.
 */
@Internal
public final class BatchChannel implements AutoCloseable {

    /** Receives what a channel's thread reads. Called by that thread only. */
    public interface Listener {

        /**
         * A frame arrived.
         *
         * @param body the body, valid during the call only
         * @throws Exception if the frame makes no sense; the channel is then closed
         */
        void onFrame(FrameHeader header, ByteBuffer body) throws Exception;

        /**
         * Nothing more will arrive. Called exactly once, also after {@link BatchChannel#close}.
         *
         * @param cause why, or null if the other side closed the connection in order
         */
        void onClosed(@Nullable Throwable cause);
    }

    private static final int INITIAL_RECEIVE_BYTES = 256 * 1024;

    private final SocketChannel socket;
    private final Selector selector;
    private final SelectionKey key;
    private final long maxFrameBytes;
    private final BufferAllocator allocator;
    private final Listener listener;
    private final Thread thread;

    private final Object sendLock = new Object();
    private final Deque<OutgoingFrame> outgoing = new ArrayDeque<>();
    private boolean sendClosed;

    // Owned by the channel's thread.
    private ArrowBuf receiveMemory;
    private ByteBuffer received;

    private record OutgoingFrame(ByteBuffer[] buffers, Runnable release) {

        boolean writeTo(SocketChannel socket) throws IOException {
            while (remaining() > 0) {
                if (socket.write(buffers) == 0) {
                    return false;
                }
            }
            return true;
        }

        private long remaining() {
            long remaining = 0;
            for (ByteBuffer buffer : buffers) {
                remaining += buffer.remaining();
            }
            return remaining;
        }
    }

    private BatchChannel(
            SocketChannel socket,
            long maxFrameBytes,
            BufferAllocator allocator,
            Listener listener,
            String name)
            throws IOException {
        this.socket = socket;
        this.maxFrameBytes = maxFrameBytes;
        this.allocator = allocator;
        this.listener = listener;
        this.receiveMemory = allocator.buffer(INITIAL_RECEIVE_BYTES);
        this.received = receiveMemory.nioBuffer(0, INITIAL_RECEIVE_BYTES);
        try {
            this.selector = Selector.open();
            socket.configureBlocking(false);
            this.key = socket.register(selector, SelectionKey.OP_READ);
        } catch (IOException e) {
            receiveMemory.close();
            throw e;
        }
        this.thread = new Thread(this::run, name);
        this.thread.setDaemon(true);
    }

    /**
     * Takes over a connected socket, also when this fails, and starts to read it.
     *
     * @param maxFrameBytes largest body that is accepted
     * @param allocator where the receive buffer comes from; it grows to the largest frame seen
     */
    public static BatchChannel start(
            SocketChannel socket,
            long maxFrameBytes,
            BufferAllocator allocator,
            Listener listener,
            String name)
            throws IOException {
        BatchChannel channel;
        try {
            channel = new BatchChannel(socket, maxFrameBytes, allocator, listener, name);
        } catch (Throwable t) {
            closeQuietly(socket);
            throw t;
        }
        channel.thread.start();
        return channel;
    }

    /** Sends a frame without a body. A frame sent after the channel was closed is dropped. */
    public void send(FrameHeader header) {
        send(header, new ByteBuffer[0], () -> {});
    }

    /**
     * Sends a frame. A frame sent after the channel was closed is dropped.
     *
     * @param body ready to be read; not to be touched until {@code release} ran
     * @param release runs exactly once, on any thread, when the body is no longer needed
     */
    public void send(FrameHeader header, ByteBuffer[] body, Runnable release) {
        ByteBuffer[] buffers = new ByteBuffer[body.length + 1];
        long bodyBytes = 0;
        for (int i = 0; i < body.length; i++) {
            buffers[i + 1] = body[i];
            bodyBytes += body[i].remaining();
        }
        buffers[0] = FrameCodec.encodeHead(header, bodyBytes);
        OutgoingFrame frame = new OutgoingFrame(buffers, release);

        boolean done;
        synchronized (sendLock) {
            done = sendClosed || (outgoing.isEmpty() && tryWrite(frame));
            if (!done) {
                // From here on releaseEverything() finds the frame, whatever happens to the socket.
                outgoing.addLast(frame);
                requestWrites();
            }
        }
        if (done) {
            release.run();
        } else {
            selector.wakeup();
        }
    }

    private void requestWrites() {
        try {
            key.interestOpsOr(SelectionKey.OP_WRITE);
        } catch (CancelledKeyException e) {
            // The socket was closed meanwhile; the channel's thread is on its way out.
        }
    }

    /** Writes in the caller's thread, so that a small frame needs no hop to another one. */
    private boolean tryWrite(OutgoingFrame frame) {
        try {
            return frame.writeTo(socket);
        } catch (IOException e) {
            // The channel's thread meets the same broken connection and tells the listener why.
            return true;
        }
    }

    private void run() {
        Throwable cause = null;
        try {
            while (readAvailable()) {
                selector.select();
                if (key.isWritable()) {
                    writeQueued();
                }
            }
        } catch (ClosedChannelException | CancelledKeyException e) {
            // close() was called.
        } catch (Throwable t) {
            cause = t;
        } finally {
            releaseEverything();
            listener.onClosed(cause);
        }
    }

    /** Reads what is there and hands on whole frames; returns false at the end of the stream. */
    private boolean readAvailable() throws Exception {
        while (true) {
            int count = socket.read(received);
            if (count < 0) {
                if (received.position() > 0) {
                    throw new FrameException("the connection ended within a frame");
                }
                return false;
            }
            if (count == 0) {
                return true;
            }
            handWholeFramesOn();
        }
    }

    private void handWholeFramesOn() throws Exception {
        received.flip();
        long needed = 0;
        while (received.remaining() >= FrameCodec.PREFIX_BYTES) {
            long frameBytes = FrameCodec.frameBytes(received, maxFrameBytes);
            if (received.remaining() < frameBytes) {
                needed = frameBytes;
                break;
            }
            int headerBytes = FrameCodec.headerBytes(received);
            int headerStart = received.position() + FrameCodec.PREFIX_BYTES;
            int end = received.position() + Math.toIntExact(frameBytes);
            FrameHeader header = parseHeader(received.slice(headerStart, headerBytes));
            int bodyStart = headerStart + headerBytes;
            listener.onFrame(header, received.slice(bodyStart, end - bodyStart));
            received.position(end);
        }
        if (needed > received.capacity()) {
            growTo(needed);
        } else {
            received.compact();
        }
    }

    private static FrameHeader parseHeader(ByteBuffer bytes) throws FrameException {
        try {
            return FrameHeader.parseFrom(CodedInputStream.newInstance(bytes));
        } catch (InvalidProtocolBufferException e) {
            throw new FrameException("a frame header cannot be parsed", e);
        } catch (IOException e) {
            throw new FrameException("a frame header cannot be read", e);
        }
    }

    private void growTo(long frameBytes) {
        ArrowBuf larger = allocator.buffer(frameBytes);
        ByteBuffer target = larger.nioBuffer(0, Math.toIntExact(frameBytes));
        target.put(received);
        receiveMemory.close();
        receiveMemory = larger;
        received = target;
    }

    private void writeQueued() throws IOException {
        while (true) {
            OutgoingFrame written;
            synchronized (sendLock) {
                OutgoingFrame frame = outgoing.peekFirst();
                if (frame == null) {
                    key.interestOpsAnd(~SelectionKey.OP_WRITE);
                    return;
                }
                if (!frame.writeTo(socket)) {
                    return;
                }
                written = outgoing.removeFirst();
            }
            written.release().run();
        }
    }

    private void releaseEverything() {
        Deque<OutgoingFrame> unsent;
        synchronized (sendLock) {
            sendClosed = true;
            unsent = new ArrayDeque<>(outgoing);
            outgoing.clear();
        }
        unsent.forEach(frame -> frame.release().run());
        receiveMemory.close();
        closeQuietly(socket);
        closeQuietly(selector);
    }

    private static void closeQuietly(AutoCloseable closeable) {
        try {
            closeable.close();
        } catch (Exception e) {
            // Nothing is left to be saved: both sides are done with the connection.
        }
    }

    /**
     * Closes the connection and waits for the channel's thread, unless that thread is the caller.
     */
    @Override
    public void close() throws InterruptedException {
        closeQuietly(socket);
        selector.wakeup();
        if (Thread.currentThread() != thread) {
            thread.join();
        }
    }
}
