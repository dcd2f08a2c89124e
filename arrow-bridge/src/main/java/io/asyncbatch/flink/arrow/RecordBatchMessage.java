package io.asyncbatch.flink.arrow;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.MessageHeader;
import org.apache.arrow.flatbuf.MetadataVersion;
import org.apache.arrow.flatbuf.RecordBatch;

/**
 * An encapsulated Arrow IPC message, split and checked to be an uncompressed record batch. Views
 * the caller's bytes; stays within one call of the reader.
 *
 * @param batch the batch's metadata
 * @param body the bytes that the metadata's buffers lie in
 */
record RecordBatchMessage(RecordBatch batch, ByteBuffer body) {

    private static final int CONTINUATION = 0xFFFFFFFF;
    private static final int PREFIX_BYTES = 8;

    static RecordBatchMessage parse(ByteBuffer bytes) {
        ByteBuffer message = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
        int total = message.remaining();
        if (total < PREFIX_BYTES || message.getInt(0) != CONTINUATION) {
            throw new MalformedBatchException(
                    "Not an Arrow IPC message: its first 4 bytes are no continuation marker, byteCount="
                            + total);
        }
        int metadataBytes = message.getInt(4);
        if (metadataBytes <= 0 || metadataBytes > total - PREFIX_BYTES) {
            throw new MalformedBatchException(
                    "An Arrow IPC message of "
                            + total
                            + " bytes cannot have metadataBytes="
                            + metadataBytes);
        }
        ByteBuffer body =
                message.slice(PREFIX_BYTES + metadataBytes, total - PREFIX_BYTES - metadataBytes);
        try {
            return new RecordBatchMessage(
                    header(message.slice(PREFIX_BYTES, metadataBytes), body.remaining()), body);
        } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
            // Flatbuffers' Java accessors find damage only by running out of their buffer.
            throw new MalformedBatchException(
                    "The metadata of the Arrow IPC message is damaged.", e);
        }
    }

    private static RecordBatch header(ByteBuffer metadata, int bodyBytes) {
        Message message = Message.getRootAsMessage(metadata.order(ByteOrder.LITTLE_ENDIAN));
        if (message.headerType() != MessageHeader.RecordBatch) {
            throw new MalformedBatchException(
                    "Expected an Arrow IPC record batch, got headerType=" + message.headerType());
        }
        if (message.version() != MetadataVersion.V5) {
            throw new MalformedBatchException(
                    "Expected Arrow IPC metadata V5, got version=" + message.version());
        }
        if (message.bodyLength() != bodyBytes) {
            throw new MalformedBatchException(
                    "The Arrow IPC message announces bodyLength="
                            + message.bodyLength()
                            + ", but its body has "
                            + bodyBytes
                            + " bytes");
        }
        RecordBatch batch = (RecordBatch) message.header(new RecordBatch());
        if (batch == null) {
            throw new MalformedBatchException("The Arrow IPC message has no header.");
        }
        if (batch.compression() != null) {
            throw new MalformedBatchException("Compressed record batches are not accepted.");
        }
        return batch;
    }
}
