package io.asyncbatch.flink.batchapi.client;

import java.io.FileNotFoundException;
import java.net.http.HttpRequest.BodyPublisher;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.UUID;

/** A form with one file, which is read while it is sent. Immutable. */
final class Multipart {

    private final String boundary = "async-batch-" + UUID.randomUUID();
    private final BodyPublisher body;

    /**
     * @param name the file's name, of characters that need no quoting
     */
    Multipart(Map<String, String> fields, Path file, String name) throws FileNotFoundException {
        StringBuilder head = new StringBuilder();
        fields.forEach(
                (field, value) ->
                        head.append("--" + boundary + "\r\n")
                                .append("Content-Disposition: form-data; name=\"" + field + "\"")
                                .append("\r\n\r\n" + value + "\r\n"));
        head.append("--" + boundary + "\r\n")
                .append("Content-Disposition: form-data; name=\"file\"; filename=\"" + name + "\"")
                .append("\r\nContent-Type: application/jsonl\r\n\r\n");
        body =
                BodyPublishers.concat(
                        text(head.toString()),
                        BodyPublishers.ofFile(file),
                        text("\r\n--" + boundary + "--\r\n"));
    }

    private static BodyPublisher text(String text) {
        return BodyPublishers.ofByteArray(text.getBytes(StandardCharsets.US_ASCII));
    }

    BodyPublisher body() {
        return body;
    }

    String contentType() {
        return "multipart/form-data; boundary=" + boundary;
    }
}
