package io.asyncbatch.flink.sidecar.codec;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/** What holds values in a value: one dimension of a tensor. Stateless. */
interface Container extends Serializable {

    /**
     * @throws UnfitElementException if the value is null or another container
     */
    int size(Object value);

    /** Of a value that has a {@link #size}. */
    Iterator<?> iterator(Object value);

    Object of(Object[] items);

    /** A {@code java.util.List}. */
    enum OfList implements Container {
        INSTANCE;

        @Override
        public int size(Object value) {
            if (!(value instanceof List<?> list)) {
                throw UnfitElementException.wrongClass(value, List.class);
            }
            return list.size();
        }

        @Override
        public Iterator<?> iterator(Object value) {
            return ((List<?>) value).iterator();
        }

        @Override
        public Object of(Object[] items) {
            return new ArrayList<>(Arrays.asList(items));
        }
    }

    /**
     * An array of objects.
     *
     * @param arrayClass such as {@code Float[].class} or {@code float[][].class}
     */
    record OfObjects(Class<? extends Object[]> arrayClass) implements Container {

        @Override
        public int size(Object value) {
            if (!arrayClass.isInstance(value)) {
                throw UnfitElementException.wrongClass(value, arrayClass);
            }
            return ((Object[]) value).length;
        }

        @Override
        public Iterator<?> iterator(Object value) {
            return Arrays.asList((Object[]) value).iterator();
        }

        @Override
        public Object of(Object[] items) {
            return Arrays.copyOf(items, items.length, arrayClass);
        }
    }
}
