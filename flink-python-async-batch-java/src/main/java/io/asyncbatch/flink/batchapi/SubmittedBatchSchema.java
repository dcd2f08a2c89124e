package io.asyncbatch.flink.batchapi;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.time.DateTimeException;
import java.time.Instant;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.serialization.DeserializationSchema;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;

/**
 * {@link SubmittedBatch}es as JSON objects in UTF-8, for a topic between two jobs: {@code
 * batch_id}, {@code submitted_at} (ISO 8601, UTC), {@code record_count}, {@code input_file}, {@code
 * results_topic}, {@code api_endpoint}, {@code status}, {@code batch_number} and {@code
 * custom_id_prefix}. Other fields are ignored when read. Used by one thread at a time.
 */
@PublicEvolving
public final class SubmittedBatchSchema
        implements SerializationSchema<SubmittedBatch>, DeserializationSchema<SubmittedBatch> {

    private static final long serialVersionUID = 1L;

    private static final ObjectMapper MAPPER = new ObjectMapper();

    @Override
    public byte[] serialize(SubmittedBatch batch) {
        ObjectNode json = MAPPER.createObjectNode();
        json.put("batch_id", batch.batchId);
        json.put("submitted_at", batch.submittedAt.toString());
        json.put("record_count", batch.recordCount);
        json.put("input_file", batch.inputFile);
        json.put("results_topic", batch.resultsTopic);
        json.put("api_endpoint", batch.apiEndpoint);
        json.put("status", batch.status);
        json.put("batch_number", batch.batchNumber);
        json.put("custom_id_prefix", batch.customIdPrefix);
        try {
            return MAPPER.writeValueAsBytes(json);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of strings and numbers is JSON", e);
        }
    }

    /**
     * @throws IOException if the message is no submitted batch, with the name of the field
     */
    @Override
    public SubmittedBatch deserialize(byte[] message) throws IOException {
        JsonNode json;
        try {
            json = MAPPER.readTree(message);
        } catch (JsonProcessingException e) {
            throw new IOException("a submitted batch must be a JSON object: " + placeOf(e));
        }
        if (!json.isObject()) {
            throw new IOException("a submitted batch must be a JSON object");
        }
        SubmittedBatch batch = new SubmittedBatch();
        batch.batchId = text(json, "batch_id");
        batch.submittedAt = instant(json, "submitted_at");
        batch.recordCount = number(json, "record_count");
        batch.inputFile = text(json, "input_file");
        batch.resultsTopic = text(json, "results_topic");
        batch.apiEndpoint = text(json, "api_endpoint");
        batch.status = text(json, "status");
        batch.batchNumber = text(json, "batch_number");
        batch.customIdPrefix = text(json, "custom_id_prefix");
        return batch;
    }

    @Override
    public boolean isEndOfStream(SubmittedBatch batch) {
        return false;
    }

    @Override
    public TypeInformation<SubmittedBatch> getProducedType() {
        return Types.POJO(SubmittedBatch.class);
    }

    private static String text(JsonNode json, String field) throws IOException {
        JsonNode value = json.path(field);
        if (!value.isTextual()) {
            throw new IOException("a submitted batch's " + field + " must be a string");
        }
        return value.asText();
    }

    private static int number(JsonNode json, String field) throws IOException {
        JsonNode value = json.path(field);
        if (!value.isIntegralNumber() || !value.canConvertToInt()) {
            throw new IOException("a submitted batch's " + field + " must be a 32-bit integer");
        }
        return value.asInt();
    }

    private static Instant instant(JsonNode json, String field) throws IOException {
        try {
            return Instant.parse(text(json, field));
        } catch (DateTimeException e) {
            throw new IOException(
                    "a submitted batch's "
                            + field
                            + " must be a time such as 2026-01-01T00:00:00Z");
        }
    }

    /** Where the message ends to be JSON, without what it says there. */
    private static String placeOf(JsonProcessingException e) {
        return e.getLocation() == null ? "it is empty" : "byte " + e.getLocation().getByteOffset();
    }
}
