package io.asyncbatch.flink.worker.channel;

import java.io.IOException;
import org.apache.flink.annotation.Internal;

/** The other side of a batch channel sent something that is not a frame of the protocol. */
@Internal
public final class FrameException extends IOException {

    private static final long serialVersionUID = 1L;

    FrameException(String message) {
        super(message);
    }

    FrameException(String message, Throwable cause) {
        super(message, cause);
    }
}
