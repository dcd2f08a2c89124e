package io.asyncbatch.flink.arrow;

import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.List;
import org.apache.arrow.vector.complex.ListVector;

/**
 * Object arrays and lists as an Arrow list. Owned by its writer's or reader's thread.
 *
 * @see PrimitiveArrayConverter
 */
final class SequenceConverter extends FieldConverter {

    private final ListVector vector;
    private final FieldConverter element;
    private final Class<?> arrayComponent;

    /**
     * @param arrayComponent class of the array's components, null for a list
     */
    SequenceConverter(
            ListVector vector,
            FieldPosition position,
            FieldConverter element,
            Class<?> arrayComponent) {
        super(vector, position);
        this.vector = vector;
        this.element = element;
        this.arrayComponent = arrayComponent;
    }

    @Override
    void put(int index, Object value) {
        if (arrayComponent == null) {
            if (!(value instanceof List<?> list)) {
                throw wrongClass(value);
            }
            int child = vector.startNewValue(index);
            for (Object item : list) {
                element.write(child++, item);
            }
            vector.endValue(index, list.size());
        } else {
            if (!(value instanceof Object[] array)) {
                throw wrongClass(value);
            }
            int child = vector.startNewValue(index);
            for (Object item : array) {
                element.write(child++, item);
            }
            vector.endValue(index, array.length);
        }
    }

    @Override
    Object get(int index) {
        int child = vector.getElementStartIndex(index);
        int end = vector.getElementEndIndex(index);
        if (arrayComponent == null) {
            List<Object> list = new ArrayList<>(end - child);
            while (child < end) {
                list.add(element.read(child++));
            }
            return list;
        }
        Object[] array = (Object[]) Array.newInstance(arrayComponent, end - child);
        for (int i = 0; i < array.length; i++) {
            array[i] = element.read(child++);
        }
        return array;
    }
}
