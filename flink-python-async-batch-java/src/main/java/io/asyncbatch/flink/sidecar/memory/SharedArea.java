package io.asyncbatch.flink.sidecar.memory;

import io.asyncbatch.flink.worker.memory.RegionTable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One piece of memory that client and server map, registered with the server under one name, and
 * who uses which part of it. Thread-safe.
 *
 * <p>A part goes back only when the server has answered the request that it was for. Without an
 * answer nobody knows whether the server still writes there, so such a part is never used again; an
 * area that has lost much of itself in this way is replaced.
 */
@Internal
public final class SharedArea {

    private static final Logger LOG = LoggerFactory.getLogger(SharedArea.class);

    private final SharedObject object;
    private final RegionTable regions;
    private final long bytes;
    private int leased;
    private long lostBytes;
    private boolean retired;
    private boolean closed;

    SharedArea(SharedObject object, long bytes) {
        this.object = object;
        this.bytes = bytes;
        this.regions = new RegionTable(bytes);
    }

    /** The region's name with the server. */
    public String name() {
        return object.name();
    }

    /** Null if there is no room, in the area or in the system. */
    @Nullable
    synchronized Lease take(long size) {
        if (retired) {
            return null;
        }
        long offset = regions.take(size);
        if (offset < 0) {
            return null;
        }
        try {
            object.commit(offset + size);
        } catch (IOException e) {
            regions.giveBack(offset);
            LOG.debug("The system has no more shared memory", e);
            return null;
        }
        leased++;
        return new Lease(offset, size);
    }

    synchronized long takenBytes() {
        return closed ? 0 : regions.takenBytes();
    }

    synchronized boolean isClosed() {
        return closed;
    }

    /** Whether so much is lost that a new area is the better one. */
    synchronized boolean isWorn() {
        return lostBytes > bytes / 2;
    }

    synchronized void unlink() throws IOException {
        object.unlink();
    }

    /** Gives nothing out any more, and ends when all that is out has come back. */
    synchronized void retire() {
        retired = true;
        closeIfUnused();
    }

    /**
     * Ends at once.
     *
     * @param untouched whether nobody in this process can touch the memory any more
     */
    synchronized void close(boolean untouched) {
        retired = true;
        if (untouched) {
            leased = 0;
            closeIfUnused();
        } else {
            try {
                object.abandon();
            } catch (IOException e) {
                LOG.warn("Could not remove shared memory {}", name(), e);
            }
        }
    }

    private void closeIfUnused() {
        if (leased > 0 || closed) {
            return;
        }
        closed = true;
        try {
            object.close();
        } catch (IOException e) {
            LOG.warn("Could not remove shared memory {}", name(), e);
        }
    }

    /** A part of the area, for one tensor of one request. Ended exactly once. */
    public final class Lease {

        private final long offset;
        private final long size;
        private boolean ended;

        private Lease(long offset, long size) {
            this.offset = offset;
            this.size = size;
        }

        public SharedArea area() {
            return SharedArea.this;
        }

        public long offset() {
            return offset;
        }

        public long size() {
            return size;
        }

        /** A view for reading and writing, little-endian; not to be touched once this has ended. */
        public ByteBuffer bytes() {
            return object.slice(offset, size).order(ByteOrder.LITTLE_ENDIAN);
        }

        /** The server is done with it. */
        public void giveBack() {
            end(true);
        }

        /** The server may still use it, for all that is known. */
        public void lose() {
            end(false);
        }

        private void end(boolean reusable) {
            synchronized (SharedArea.this) {
                if (ended || closed) {
                    return;
                }
                ended = true;
                leased--;
                if (reusable) {
                    regions.giveBack(offset);
                } else {
                    lostBytes += size;
                }
                if (retired) {
                    closeIfUnused();
                }
            }
        }
    }
}
