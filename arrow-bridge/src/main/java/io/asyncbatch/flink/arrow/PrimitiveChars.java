package io.asyncbatch.flink.arrow;

/** How a {@code char} travels; stateless. */
final class PrimitiveChars {

    private PrimitiveChars() {}

    static char toWire(char c) {
        return Character.isSurrogate(c) ? '?' : c;
    }
}
