package io.asyncbatch.flink.sidecar.codec;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/**
 * Text to UTF-8 and back, without Java's silent replacement of what is malformed. Looks twice only
 * where the replacement stands in the outcome. Stateless.
 */
final class Utf8 {

    private static final char REPLACEMENT = '\uFFFD';

    private Utf8() {}

    static byte[] encode(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (contains(bytes, (byte) '?')) {
            try {
                StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(text));
            } catch (CharacterCodingException e) {
                throw new UnfitElementException("is text with half of a surrogate pair");
            }
        }
        return bytes;
    }

    static String decode(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        if (text.indexOf(REPLACEMENT) >= 0) {
            try {
                StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
            } catch (CharacterCodingException e) {
                throw new UnfitElementException("is not UTF-8");
            }
        }
        return text;
    }

    private static boolean contains(byte[] bytes, byte wanted) {
        for (byte candidate : bytes) {
            if (candidate == wanted) {
                return true;
            }
        }
        return false;
    }
}
