package io.asyncbatch.flink.arrow;

import java.util.HashMap;
import java.util.Map;
import org.apache.arrow.vector.complex.MapVector;
import org.apache.arrow.vector.complex.StructVector;

/** {@code Map} as an Arrow map. Owned by its writer's or reader's thread. */
final class MapConverter extends FieldConverter {

    private final MapVector vector;
    private final StructVector entries;
    private final FieldConverter key;
    private final FieldConverter value;

    MapConverter(
            MapVector vector, FieldPosition position, FieldConverter key, FieldConverter value) {
        super(vector, position);
        this.vector = vector;
        this.entries = (StructVector) vector.getDataVector();
        this.key = key;
        this.value = value;
    }

    @Override
    void put(int index, Object object) {
        if (!(object instanceof Map<?, ?> map)) {
            throw wrongClass(object);
        }
        int start = vector.startNewValue(index);
        int entry = start;
        for (Map.Entry<?, ?> e : map.entrySet()) {
            entries.setIndexDefined(entry);
            key.write(entry, e.getKey());
            value.write(entry, e.getValue());
            entry++;
        }
        vector.endValue(index, entry - start);
    }

    @Override
    Object get(int index) {
        int entry = vector.getElementStartIndex(index);
        int end = vector.getElementEndIndex(index);
        Map<Object, Object> map = new HashMap<>((int) ((end - entry) / 0.75f) + 1);
        for (; entry < end; entry++) {
            if (entries.isNull(entry)) {
                throw malformed(index, "a null entry");
            }
            map.put(key.read(entry), value.read(entry));
        }
        return map;
    }
}
