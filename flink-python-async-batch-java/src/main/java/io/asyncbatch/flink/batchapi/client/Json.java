package io.asyncbatch.flink.batchapi.client;

import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import java.util.concurrent.CompletionException;

/** How JSON of a server that is not trusted is read. Stateless. */
final class Json {

    private static final int MOST_WORD = 64;
    private static final int MOST_TEXT = 1_000;
    private static final int MOST_ID = 512;

    static final ObjectMapper MAPPER =
            new ObjectMapper(
                            new JsonFactoryBuilder()
                                    .streamReadConstraints(
                                            StreamReadConstraints.builder()
                                                    .maxNestingDepth(200)
                                                    .maxNumberLength(1_000)
                                                    .maxStringLength(ResultReader.MOST_LINE_BYTES)
                                                    .build())
                                    .build())
                    .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                    // As it came, down to the last digit.
                    .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS)
                    .configure(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES, false);

    private Json() {}

    /** Text that may be logged: short, and of characters that forge no line of a log. */
    static String word(JsonNode node, String otherwise) {
        if (!node.isTextual() && !node.isIntegralNumber()) {
            return otherwise;
        }
        String cleaned = node.asText().replaceAll("[^A-Za-z0-9._-]", "_");
        return cleaned.length() > MOST_WORD ? cleaned.substring(0, MOST_WORD) : cleaned;
    }

    /** Text for the row's owner, shortened. */
    static String text(JsonNode node) {
        String text = node.asText("");
        return text.length() > MOST_TEXT ? text.substring(0, MOST_TEXT) : text;
    }

    /** An id that becomes part of a path. */
    static String id(JsonNode node, String what) {
        String id = node.isIntegralNumber() || node.isTextual() ? node.asText() : "";
        if (id.length() > MOST_ID || !id.matches("[A-Za-z0-9_][A-Za-z0-9._-]*")) {
            throw new CompletionException(
                    BatchApiException.transientFailure(
                            "the Batch API's answer has no usable " + what, 0));
        }
        return id;
    }
}
