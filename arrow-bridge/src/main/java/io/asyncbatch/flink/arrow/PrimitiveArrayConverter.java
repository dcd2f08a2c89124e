package io.asyncbatch.flink.arrow;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.vector.BaseFixedWidthVector;
import org.apache.arrow.vector.BitVectorHelper;
import org.apache.arrow.vector.complex.ListVector;

/**
 * Primitive arrays as an Arrow list, moved in bulk; a subclass knows the type of the array. Owned
 * by its writer's or reader's thread.
 */
abstract class PrimitiveArrayConverter extends FieldConverter {

    private final ListVector vector;
    private final BaseFixedWidthVector elements;
    private long measuredElements;

    PrimitiveArrayConverter(ListVector vector, FieldPosition position) {
        super(vector, position);
        this.vector = vector;
        this.elements = (BaseFixedWidthVector) vector.getDataVector();
    }

    /** Length of the array, or -1 if the value is not an array of this type. */
    abstract int lengthOf(Object value);

    /** Copies the whole array into the target, which has room for it. */
    abstract void copyIn(Object array, ByteBuffer target);

    /** Copies the whole source into a new array of that length. */
    abstract Object copyOut(ByteBuffer source, int length);

    @Override
    final boolean differInSize() {
        return true;
    }

    @Override
    final void measure(Object value) {
        measuredElements += Math.max(0, lengthOf(value));
    }

    @Override
    final long plannedBytes(int rows) {
        return bufferBytes(measuredElements, elements.getTypeWidth())
                + bufferBytes(measuredElements / 8, 1)
                + bufferBytes(rows + 1L, Integer.BYTES)
                + bufferBytes(rows, 1);
    }

    @Override
    final void allocate(int rows) {
        int count = Math.toIntExact(measuredElements);
        measuredElements = 0;
        vector.setInitialTotalCapacity(rows, count);
        vector.allocateNew();
    }

    @Override
    final void put(int index, Object value) {
        int length = lengthOf(value);
        if (length < 0) {
            throw wrongClass(value);
        }
        int start = vector.startNewValue(index);
        if (length > 0) {
            int end = Math.addExact(start, length);
            while (elements.getValueCapacity() < end) {
                elements.reAlloc();
            }
            copyIn(value, window(start, length));
            setValid(elements.getValidityBuffer(), start, end);
        }
        vector.endValue(index, length);
    }

    @Override
    final Object get(int index) {
        int start = vector.getElementStartIndex(index);
        int length = vector.getElementEndIndex(index) - start;
        if (!areValid(elements.getValidityBuffer(), start, start + length)) {
            throw malformed(index, "a null element");
        }
        return copyOut(length == 0 ? ByteBuffer.allocate(0) : window(start, length), length);
    }

    private ByteBuffer window(int start, int length) {
        int width = elements.getTypeWidth();
        return elements.getDataBuffer()
                .nioBuffer((long) start * width, Math.multiplyExact(length, width))
                .order(ByteOrder.LITTLE_ENDIAN);
    }

    private static boolean areValid(ArrowBuf validity, int start, int end) {
        int index = start;
        while (index < end && (index & 7) != 0) {
            if (BitVectorHelper.get(validity, index++) == 0) {
                return false;
            }
        }
        for (; index + Long.SIZE <= end; index += Long.SIZE) {
            if (validity.getLong(index >> 3) != -1L) {
                return false;
            }
        }
        while (index < end) {
            if (BitVectorHelper.get(validity, index++) == 0) {
                return false;
            }
        }
        return true;
    }

    private static void setValid(ArrowBuf validity, int start, int end) {
        int index = start;
        while (index < end && (index & 7) != 0) {
            BitVectorHelper.setBit(validity, index++);
        }
        int wholeBytes = (end - index) >> 3;
        if (wholeBytes > 0) {
            validity.setOne(index >> 3, (long) wholeBytes);
            index += wholeBytes << 3;
        }
        while (index < end) {
            BitVectorHelper.setBit(validity, index++);
        }
    }
}
