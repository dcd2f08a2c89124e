package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Values that are primitive arrays, of any number of dimensions in row-major order: each goes
 * straight into the tensor. At most one dimension varies, so that a length says what it is.
 */
final class FlatColumn<A> extends Column<A> {

    private static final long serialVersionUID = 1L;

    private final ArrayForm form;

    FlatColumn(Elements<A> elements, ArrayForm form, TensorDataType dataType, long... shape) {
        super(elements, dataType, shape);
        this.form = form;
        if (shape.length == 0 || Arrays.stream(shape).filter(d -> d == -1).count() > 1) {
            throw new IllegalArgumentException(
                    "the shape of a flat array must have a dimension, and -1 once at most, got "
                            + Arrays.toString(shape));
        }
        long fixed = 1;
        for (long dimension : shape) {
            fixed = Math.min(Math.abs(dimension), Integer.MAX_VALUE) * fixed;
            if (fixed > Integer.MAX_VALUE) {
                throw new IllegalArgumentException(
                        "no array has as many elements as the shape " + Arrays.toString(shape));
            }
        }
    }

    @Override
    public Column<A> as(TensorDataType type) {
        return new FlatColumn<>(elements(), form, type, shape());
    }

    @Override
    public Column<A> shaped(long... newShape) {
        return new FlatColumn<>(elements(), form, dataType(), newShape);
    }

    @Override
    Tensor encodeValues(ColumnName name, List<?> values) {
        int records = values.size();
        A first = array(name, 0, values.get(0));
        int length = elements().length(first);
        long[] ofValue = shapeOf(name, length);
        ByteBuffer contents = room(name, (long) records * length * dataType().byteSize());
        write(name, 0, first, contents);
        for (int record = 1; record < records; record++) {
            A array = array(name, record, values.get(record));
            if (elements().length(array) != length) {
                throw name.misfit(record, otherLength(elements().length(array), length));
            }
            write(name, record, array, contents);
        }
        return new Tensor(
                name.tensor(), dataType(), withRecords(records, ofValue), contents.flip());
    }

    private A array(ColumnName name, int record, Object value) {
        try {
            Object array = value == null ? null : form.arrayOf(value);
            if (!elements().arrayClass().isInstance(array)) {
                throw UnfitElementException.wrongClass(array, elements().arrayClass());
            }
            return elements().arrayClass().cast(array);
        } catch (UnfitElementException e) {
            throw name.misfit(record, e.getMessage());
        }
    }

    private void write(ColumnName name, int record, A array, ByteBuffer contents) {
        try {
            elements().write(array, dataType(), contents);
        } catch (UnfitElementException e) {
            throw name.misfit(
                    record, "has element %d that %s".formatted(e.index(), e.getMessage()));
        }
    }

    private long[] shapeOf(ColumnName name, int length) {
        long[] ofValue = shape();
        long fixed = 1;
        int varying = -1;
        for (int i = 0; i < ofValue.length; i++) {
            if (ofValue[i] == -1) {
                varying = i;
            } else {
                fixed *= ofValue[i];
            }
        }
        if (varying >= 0 && length % fixed == 0) {
            ofValue[varying] = length / fixed;
        } else if (varying >= 0 || length != fixed) {
            throw name.misfit(
                    0,
                    "has %d elements, shape %s takes %s%d"
                            .formatted(
                                    length,
                                    Arrays.toString(ofValue),
                                    varying >= 0 ? "a multiple of " : "",
                                    fixed));
        }
        return ofValue;
    }

    private String otherLength(int length, int first) {
        return Arrays.stream(shape()).allMatch(dimension -> dimension > 0)
                ? "has %d elements, shape %s takes %d"
                        .formatted(length, Arrays.toString(shape()), first)
                : "has %d elements, and record 0 has %d: a tensor takes values of one length"
                        .formatted(length, first);
    }

    @Override
    boolean accepts(long[] ofValue) {
        return matchesDeclared(ofValue);
    }

    @Override
    List<Object> decodeValues(
            ColumnName name,
            ByteBuffer contents,
            TensorDataType type,
            long[] ofValue,
            int records,
            int ofOne) {
        List<Object> values = new ArrayList<>(records);
        for (int record = 0; record < records; record++) {
            A array = elements().allocate(ofOne);
            try {
                elements().read(contents, type, array);
            } catch (UnfitElementException e) {
                throw name.outputMisfit(
                        record, "has element %d that %s".formatted(e.index(), e.getMessage()));
            }
            values.add(form.valueOf(array));
        }
        return values;
    }
}
