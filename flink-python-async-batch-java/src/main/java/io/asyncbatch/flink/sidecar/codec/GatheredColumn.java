package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;

/**
 * Values whose elements lie apart: single ones, and arrays or lists of objects, one dimension a
 * level. They are gathered in one array, which then goes into the tensor.
 */
final class GatheredColumn<A> extends Column<A> {

    private static final long serialVersionUID = 1L;

    private final List<Container> containers;

    /** Of the innermost level if that is a primitive array, else null. */
    private final ArrayForm leaf;

    /**
     * @param containers outermost first; none for single elements
     * @param leaf null if the innermost container holds elements
     */
    GatheredColumn(
            Elements<A> elements,
            List<Container> containers,
            ArrayForm leaf,
            TensorDataType dataType,
            long... shape) {
        super(elements, dataType, shape);
        this.containers = List.copyOf(containers);
        this.leaf = leaf;
        if (isSingle() && Arrays.stream(shape).anyMatch(dimension -> dimension != 1)) {
            throw new IllegalArgumentException(
                    "dimensions of a single value must be 1, got " + Arrays.toString(shape));
        }
        if (!isSingle() && shape.length != levels()) {
            throw new IllegalArgumentException(
                    "the shape of nested values must have %d dimensions, one a level, got %s"
                            .formatted(levels(), Arrays.toString(shape)));
        }
    }

    private boolean isSingle() {
        return containers.isEmpty();
    }

    private int levels() {
        return containers.size() + (leaf == null ? 0 : 1);
    }

    @Override
    public Column<A> as(TensorDataType type) {
        return new GatheredColumn<>(elements(), containers, leaf, type, shape());
    }

    @Override
    public Column<A> shaped(long... newShape) {
        return new GatheredColumn<>(elements(), containers, leaf, dataType(), newShape);
    }

    @Override
    Tensor encodeValues(ColumnName name, List<?> values) {
        int records = values.size();
        long[] ofValue = isSingle() ? shape() : shapeOf(name, values.get(0));
        long ofOne = 1;
        for (long dimension : ofValue) {
            ofOne *= dimension;
            // Also keeps the product from an overflow.
            elementCount(name, records, ofOne);
        }
        A gathered = elements().allocate(elementCount(name, records, ofOne));
        for (int record = 0; record < records; record++) {
            try {
                gather(values.get(record), 0, ofValue, gathered, (int) (record * ofOne));
            } catch (UnfitElementException e) {
                throw name.misfit(record, e.getMessage());
            }
        }
        ByteBuffer contents = room(name, elements().encodedBytes(gathered, dataType()));
        try {
            elements().write(gathered, dataType(), contents);
        } catch (UnfitElementException e) {
            throw name.misfit((int) (e.index() / ofOne), within(e, (int) ofOne));
        }
        return new Tensor(
                name.tensor(), dataType(), withRecords(records, ofValue), contents.flip());
    }

    private String within(UnfitElementException e, int ofOne) {
        return isSingle()
                ? e.getMessage()
                : "has element %d that %s".formatted(e.index() % ofOne, e.getMessage());
    }

    /**
     * Looks at the first item of each level only; {@link #gather} sees whether the others agree.
     */
    private long[] shapeOf(ColumnName name, Object first) {
        long[] found = new long[levels()];
        Object value = first;
        try {
            int level = 0;
            for (; level < found.length; level++) {
                found[level] = size(value, level);
                if (found[level] == 0) {
                    break;
                }
                if (level < containers.size()) {
                    value = containers.get(level).iterator(value).next();
                }
            }
            if (level > 0 && level < found.length) {
                throw new UnfitElementException(
                        "has a dimension of 0 in another one, whose size would be lost");
            }
        } catch (UnfitElementException e) {
            throw name.misfit(0, e.getMessage());
        }
        if (found[0] == 0) {
            long[] declared = shape();
            for (int level = 1; level < found.length; level++) {
                found[level] = Math.max(0, declared[level]);
            }
        }
        if (!matchesDeclared(found)) {
            throw name.misfit(
                    0,
                    "has shape %s, expected %s"
                            .formatted(Arrays.toString(found), Arrays.toString(shape())));
        }
        return found;
    }

    private int size(Object value, int level) {
        return level < containers.size()
                ? containers.get(level).size(value)
                : elements().length(leafArray(value));
    }

    private A leafArray(Object value) {
        Object array = value == null ? null : leaf.arrayOf(value);
        if (!elements().arrayClass().isInstance(array)) {
            throw UnfitElementException.wrongClass(array, elements().arrayClass());
        }
        return elements().arrayClass().cast(array);
    }

    /** Returns where the next element goes. */
    private int gather(Object value, int level, long[] ofValue, A target, int offset) {
        if (level == containers.size() && leaf == null) {
            elements().set(target, offset, value);
            return offset + 1;
        }
        int size = size(value, level);
        if (size != ofValue[level]) {
            throw new UnfitElementException(
                    "has %d items, expected %d like the first one: a tensor takes values of one shape"
                            .formatted(size, ofValue[level]));
        }
        if (level == containers.size()) {
            System.arraycopy(leafArray(value), 0, target, offset, size);
            return offset + size;
        }
        int next = offset;
        Iterator<?> items = containers.get(level).iterator(value);
        int item = 0;
        try {
            for (; item < size; item++) {
                next = gather(items.next(), level + 1, ofValue, target, next);
            }
        } catch (UnfitElementException e) {
            throw new UnfitElementException("has item %d that %s".formatted(item, e.getMessage()));
        }
        return next;
    }

    @Override
    boolean accepts(long[] ofValue) {
        if (isSingle()) {
            return Arrays.stream(ofValue).allMatch(dimension -> dimension == 1);
        }
        // As no contents vouch for them, containers of empty ones could be of any number.
        boolean emptyInside =
                ofValue.length > 0
                        && ofValue[0] != 0
                        && Arrays.stream(ofValue).anyMatch(dimension -> dimension == 0);
        return matchesDeclared(ofValue) && !emptyInside;
    }

    @Override
    String expectedShape(int records) {
        return isSingle() ? "[%1$d] or [%1$d, 1]".formatted(records) : super.expectedShape(records);
    }

    @Override
    List<Object> decodeValues(
            ColumnName name,
            ByteBuffer contents,
            TensorDataType type,
            long[] ofValue,
            int records,
            int ofOne) {
        A gathered = elements().allocate(records * ofOne);
        try {
            elements().read(contents, type, gathered);
        } catch (UnfitElementException e) {
            throw name.outputMisfit(e.index() / ofOne, within(e, ofOne));
        }
        List<Object> values = new ArrayList<>(records);
        for (int record = 0; record < records; record++) {
            try {
                values.add(scatter(gathered, record * ofOne, 0, ofValue, ofOne));
            } catch (UnfitElementException e) {
                throw name.outputMisfit(record, e.getMessage());
            }
        }
        return values;
    }

    /**
     * @param count elements of the value that begins at the offset
     */
    private Object scatter(A source, int offset, int level, long[] ofValue, int count) {
        if (level == containers.size()) {
            if (leaf == null) {
                return elements().get(source, offset);
            }
            A array = elements().allocate(count);
            System.arraycopy(source, offset, array, 0, count);
            return leaf.valueOf(array);
        }
        Object[] items = new Object[(int) ofValue[level]];
        for (int i = 0; i < items.length; i++) {
            int ofItem = count / items.length;
            items[i] = scatter(source, offset + i * ofItem, level + 1, ofValue, ofItem);
        }
        return containers.get(level).of(items);
    }
}
