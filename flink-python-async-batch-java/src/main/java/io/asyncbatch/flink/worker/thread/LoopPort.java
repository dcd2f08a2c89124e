package io.asyncbatch.flink.worker.thread;

import com.google.protobuf.InvalidProtocolBufferException;
import io.asyncbatch.flink.arrow.LentBatch;
import io.asyncbatch.flink.proto.FrameHeader;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.Map;
import java.util.Queue;
import java.util.function.BiFunction;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.metrics.MetricGroup;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where the operator and Python's event loop meet: requests one way, answers the other, each a
 * frame header with or without a record batch, which is read where it lies.
 *
 * <p>The mailbox thread submits and closes; Python calls through {@link #door}, and a listener
 * hears its answers on the loop's thread, which does not hold the interpreter's lock then. The
 * mailbox thread never needs that lock: user code that holds it does not hold up the task.
 */
@Internal
public final class LoopPort implements AutoCloseable {

    /** Hears what Python says, on the thread of its event loop. */
    @FunctionalInterface
    public interface Listener {

        /**
         * @param results address of the {@code struct ArrowArray} that describes the results, if
         *     the answer has any; valid during the call only
         */
        void answered(FrameHeader header, long results);
    }

    private record Request(byte[] header, @Nullable LentBatch batch) {}

    private static final Logger LOG = LoggerFactory.getLogger(LoopPort.class);

    private final byte[] description;
    @Nullable private final MetricGroup metrics;
    @Nullable private final String workingDirectory;
    private final Listener listener;

    private final Object lock = new Object();
    private final Queue<Request> requests = new ArrayDeque<>();
    private final Map<Long, LentBatch> lent = new HashMap<>();
    private long lastId;
    @Nullable private WakePipe pipe;
    private long incoming;
    private long outgoing;
    private long release;
    private boolean woken;
    private boolean closed;

    /**
     * @param description the serialized description of the function
     * @param metrics where the function's metrics go; null if they are off
     * @param workingDirectory where the job's archives are; null if it has none
     */
    public LoopPort(
            byte[] description,
            @Nullable MetricGroup metrics,
            @Nullable String workingDirectory,
            Listener listener) {
        this.description = description;
        this.metrics = metrics;
        this.workingDirectory = workingDirectory;
        this.listener = listener;
    }

    // ------------------------------------------------------------------------------------------
    // The operator's side
    // ------------------------------------------------------------------------------------------

    /**
     * Queues a request and wakes the loop. What is submitted after the close is dropped.
     *
     * @param batch taken over; closed once Python has let go of it
     */
    public void submit(FrameHeader header, @Nullable LentBatch batch) {
        byte[] bytes = header.toByteArray();
        synchronized (lock) {
            if (!closed) {
                requests.add(new Request(bytes, batch));
                wake();
                return;
            }
        }
        if (batch != null) {
            batch.close();
        }
    }

    private void wake() {
        if (woken || pipe == null) {
            return;
        }
        woken = true;
        try {
            pipe.wake();
        } catch (IOException e) {
            // The loop has left; that its thread ends is told elsewhere.
            LOG.debug("The event loop does not listen any more", e);
        }
    }

    /**
     * Drops what Python still answers, and releases the requests that it has not fetched.
     * Idempotent. Batches that Python has fetched stay lent until it lets go of them.
     */
    @Override
    public void close() throws IOException {
        synchronized (lock) {
            if (closed) {
                return;
            }
            closed = true;
            requests.removeIf(LoopPort::releaseBatch);
            if (pipe != null) {
                pipe.close();
            }
        }
    }

    /** What has no batch, such as the order to leave, still reaches a loop that comes late. */
    private static boolean releaseBatch(Request request) {
        if (request.batch() == null) {
            return false;
        }
        request.batch().close();
        return true;
    }

    // ------------------------------------------------------------------------------------------
    // Python's side
    // ------------------------------------------------------------------------------------------

    /**
     * What Python calls, with the name of what it wants and an argument for it. Its class is made
     * from an interface of the JDK, because pemja holds on to the methods, and by them to the class
     * loader, of every class whose objects it has seen.
     */
    public Object door() {
        return Proxy.newProxyInstance(
                ClassLoader.getPlatformClassLoader(),
                new Class<?>[] {BiFunction.class},
                (proxy, method, arguments) ->
                        switch (method.getName()) {
                            case "apply" -> call((String) arguments[0], arguments[1]);
                            case "toString" -> "LoopPort";
                            case "hashCode" -> System.identityHashCode(proxy);
                            case "equals" -> proxy == arguments[0];
                            default -> throw new UnsupportedOperationException(method.getName());
                        });
    }

    @Nullable
    private Object call(String name, @Nullable Object argument) throws IOException {
        switch (name) {
            case "description":
                return description;
            case "metrics":
                return metrics;
            case "workingDirectory":
                return workingDirectory;
            case "attach":
                attach(ByteBuffer.wrap((byte[]) argument).order(ByteOrder.nativeOrder()));
                return null;
            case "poll":
                return poll();
            case "release":
                release(((Number) argument).longValue());
                return null;
            case "answer":
                answer((byte[]) argument, 0);
                return null;
            case "answerBatch":
                answer((byte[]) argument, outgoing);
                return null;
            default:
                throw new IllegalArgumentException("Python asks for " + name);
        }
    }

    /**
     * Has the loop woken through a pipe whenever something is there to poll.
     *
     * @param loop descriptor of the pipe's end for writing; addresses of the structs that requests'
     *     batches are written to and that answers' batches are read from; address of the function
     *     that is called when a request's batch is let go
     */
    private void attach(ByteBuffer loop) throws IOException {
        synchronized (lock) {
            pipe = WakePipe.open(loop.getLong());
            incoming = loop.getLong();
            outgoing = loop.getLong();
            release = loop.getLong();
            if (closed) {
                pipe.close();
            } else if (!requests.isEmpty()) {
                wake();
            }
        }
    }

    /**
     * The next request's header, its batch described in the struct for it; null if there is none
     * and the loop will be woken again.
     */
    @Nullable
    private byte[] poll() {
        synchronized (lock) {
            Request request = requests.poll();
            if (request == null) {
                woken = false;
                return null;
            }
            if (request.batch() != null) {
                lastId++;
                lent.put(lastId, request.batch());
                request.batch().lend(incoming, release, lastId);
            }
            return request.header();
        }
    }

    /** Python has let go of a request's batch, at the latest when its garbage was collected. */
    private void release(long id) {
        synchronized (lock) {
            lent.remove(id).close();
        }
    }

    private void answer(byte[] header, long results) throws InvalidProtocolBufferException {
        synchronized (lock) {
            if (closed) {
                return;
            }
        }
        listener.answered(FrameHeader.parseFrom(header), results);
    }
}
