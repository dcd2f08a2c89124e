package io.asyncbatch.flink.batchapi.client;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.apache.flink.annotation.Internal;

/**
 * Reads a file of results piece by piece: one JSON value a line, or one array of them. Used by the
 * I/O thread. A byte order mark and blank lines mean nothing; what cannot be read is counted, and
 * the rest is read nevertheless.
 */
@Internal
public final class ResultReader {

    /** A longer line is taken for damage, so that it is never held. */
    static final int MOST_LINE_BYTES = 32 * 1024 * 1024;

    private static final int BUFFER_BYTES = 64 * 1024;

    private ResultReader() {}

    /**
     * @return how many lines could not be read
     */
    public static int read(Path file, Consumer<JsonNode> lines) throws IOException {
        try (BufferedInputStream input =
                new BufferedInputStream(Files.newInputStream(file), BUFFER_BYTES)) {
            skipByteOrderMark(input);
            return startsArray(input) ? readArray(input, lines) : readLines(input, lines);
        }
    }

    private static void skipByteOrderMark(BufferedInputStream input) throws IOException {
        input.mark(3);
        if (input.read() != 0xEF || input.read() != 0xBB || input.read() != 0xBF) {
            input.reset();
        }
    }

    private static boolean startsArray(BufferedInputStream input) throws IOException {
        input.mark(BUFFER_BYTES);
        int first = input.read();
        for (int skipped = 1; skipped < BUFFER_BYTES && first > 0 && first <= ' '; skipped++) {
            first = input.read();
        }
        input.reset();
        return first == '[';
    }

    private static int readArray(InputStream input, Consumer<JsonNode> lines) throws IOException {
        try (JsonParser parser = Json.MAPPER.getFactory().createParser(input)) {
            parser.nextToken();
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                if (parser.currentToken() == null) {
                    return 1;
                }
                lines.accept(Json.MAPPER.readTree(parser));
            }
            return 0;
        } catch (JsonProcessingException torn) {
            return 1;
        }
    }

    private static int readLines(InputStream input, Consumer<JsonNode> lines) throws IOException {
        int damaged = 0;
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        boolean tooLong = false;
        for (int next = input.read(); ; next = input.read()) {
            if (next >= 0 && next != '\n') {
                if (line.size() < MOST_LINE_BYTES) {
                    line.write(next);
                } else {
                    tooLong = true;
                }
                continue;
            }
            if (tooLong || !readLine(line.toByteArray(), lines)) {
                damaged++;
            }
            line.reset();
            tooLong = false;
            if (next < 0) {
                return damaged;
            }
        }
    }

    private static boolean readLine(byte[] line, Consumer<JsonNode> lines) throws IOException {
        JsonNode node;
        try {
            node = Json.MAPPER.readTree(line);
        } catch (JsonProcessingException torn) {
            return false;
        }
        if (node.isMissingNode()) {
            return true;
        }
        lines.accept(node);
        return true;
    }
}
