package io.asyncbatch.flink.sidecar.codec;

import java.util.Iterator;
import java.util.stream.IntStream;
import org.apache.flink.table.data.ArrayData;
import org.apache.flink.table.data.GenericArrayData;
import org.apache.flink.table.types.logical.LogicalType;

/** An array of the table runtime, of anything but primitive elements. Stateless. */
final class ArrayDataContainer implements Container {

    private static final long serialVersionUID = 1L;

    private final ArrayData.ElementGetter getter;

    ArrayDataContainer(LogicalType elementType) {
        getter = ArrayData.createElementGetter(elementType);
    }

    @Override
    public int size(Object value) {
        if (!(value instanceof ArrayData array)) {
            throw UnfitElementException.wrongClass(value, ArrayData.class);
        }
        return array.size();
    }

    @Override
    public Iterator<?> iterator(Object value) {
        ArrayData array = (ArrayData) value;
        return IntStream.range(0, array.size())
                .mapToObj(i -> getter.getElementOrNull(array, i))
                .iterator();
    }

    @Override
    public Object of(Object[] items) {
        return new GenericArrayData(items);
    }
}
