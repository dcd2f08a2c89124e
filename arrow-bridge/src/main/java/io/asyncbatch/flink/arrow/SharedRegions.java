package io.asyncbatch.flink.arrow;

import java.nio.ByteBuffer;
import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * Memory that another process maps too, given out in regions. {@link #take} is called by the thread
 * that encodes; a region may be given back by any thread.
 */
@Internal
@FunctionalInterface
public interface SharedRegions {

    /** Where every batch is too small to be shared. */
    SharedRegions NONE = bytes -> null;

    /**
     * A region of at least so many bytes, or null if a batch of that size is better not shared, or
     * there is no room for it now.
     */
    @Nullable
    Region take(long bytes);

    /** One region, exclusively its taker's until it is given back. */
    interface Region {

        /** Where the region begins in the memory that both processes map. */
        long offset();

        /**
         * A view of the region's bytes, direct and writable, whose address is a multiple of 64; not
         * to be touched after {@link #giveBack}.
         */
        ByteBuffer bytes();

        /** Ends the use of the region; called once, when the other process reads it no more. */
        void giveBack();
    }
}
