package io.asyncbatch.flink.sidecar.codec;

/**
 * Says what is wrong with one element, where neither record nor field is known; {@link Column}
 * turns it into an error that names both. The message is a predicate, such as "is null".
 */
final class UnfitElementException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final int index;

    UnfitElementException(String predicate) {
        this(predicate, 0);
    }

    private UnfitElementException(String predicate, int index) {
        // It never leaves the package, so a stack trace would be made for nobody.
        super(predicate, null, false, false);
        this.index = index;
    }

    static UnfitElementException wrongClass(Object value, Class<?> expected) {
        return new UnfitElementException(
                value == null
                        ? "is null, which a tensor cannot hold"
                        : "is a %s, expected %s"
                                .formatted(value.getClass().getTypeName(), expected.getTypeName()));
    }

    UnfitElementException at(int newIndex) {
        return new UnfitElementException(getMessage(), newIndex);
    }

    /** Of the element, among those that were given or asked for. */
    int index() {
        return index;
    }
}
