package io.asyncbatch.flink.batchapi.client;

import com.fasterxml.jackson.core.JsonParser;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

/** Lines of a file of requests. Stateless. */
final class RequestLines {

    private static final byte[] HEAD = "{\"custom_id\":\"".getBytes(StandardCharsets.US_ASCII);

    private RequestLines() {}

    /**
     * @param customId of characters that JSON does not escape
     * @param middle from the end of the id's text to the body
     * @param body a JSON value
     * @throws IllegalArgumentException if the body is none. One such line spoils a whole file
     */
    static byte[] line(String customId, byte[] middle, String body) {
        String value = inOneLine(body);
        byte[] id = customId.getBytes(StandardCharsets.US_ASCII);
        byte[] request = value.getBytes(StandardCharsets.UTF_8);
        ByteArrayOutputStream line =
                new ByteArrayOutputStream(
                        HEAD.length + id.length + middle.length + request.length + 2);
        line.writeBytes(HEAD);
        line.writeBytes(id);
        line.writeBytes(middle);
        line.writeBytes(request);
        line.write('}');
        line.write('\n');
        return line.toByteArray();
    }

    private static String inOneLine(String body) {
        try (JsonParser parser = Json.MAPPER.getFactory().createParser(body)) {
            boolean some = parser.nextToken() != null;
            parser.skipChildren();
            if (!some || parser.nextToken() != null) {
                throw new IllegalArgumentException("the codec's request must be one JSON value");
            }
            boolean oneLine = body.indexOf('\n') < 0 && body.indexOf('\r') < 0;
            return oneLine ? body : Json.MAPPER.readTree(body).toString();
        } catch (IOException e) {
            // Without the cause, whose message quotes the request.
            throw new IllegalArgumentException("the codec's request is no JSON value");
        }
    }
}
