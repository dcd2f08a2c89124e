package io.asyncbatch.flink.operator.queue;

import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.streaming.api.operators.TimestampedCollector;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * What stands between two neighbouring rows and no row may cross. Owned by the mailbox thread.
 *
 * <p>However many watermarks and status changes arrive between the same two rows, only the last of
 * each says anything, so only that is kept: rows that wait long do not pile up watermarks.
 */
@Internal
public final class Fence {

    private final long position;
    @Nullable private Watermark watermark;
    @Nullable private WatermarkStatus status;
    @Nullable private RecordAttributes attributes;

    /**
     * @param position number of rows before it
     */
    public Fence(long position) {
        this.position = position;
    }

    long position() {
        return position;
    }

    @Nullable
    public Watermark watermark() {
        return watermark;
    }

    public void add(Watermark mark) {
        if (watermark == null || watermark.getTimestamp() < mark.getTimestamp()) {
            watermark = mark;
        }
    }

    public void add(WatermarkStatus newStatus) {
        status = newStatus;
    }

    public void add(RecordAttributes newAttributes) {
        attributes = newAttributes;
    }

    /** An idle output drops watermarks, so activity is announced before and idleness after them. */
    public void emit(TimestampedCollector<?> collector) {
        if (attributes != null) {
            collector.emitRecordAttributes(attributes);
        }
        if (status != null && status.isActive()) {
            collector.emitWatermarkStatus(status);
        }
        if (watermark != null) {
            collector.emitWatermark(watermark);
        }
        if (status != null && status.isIdle()) {
            collector.emitWatermarkStatus(status);
        }
    }
}
