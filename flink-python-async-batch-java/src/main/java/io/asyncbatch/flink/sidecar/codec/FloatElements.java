package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;

/** Floats. Stateless. */
final class FloatElements extends NumericElements<float[]> {

    private static final long serialVersionUID = 1L;

    FloatElements() {
        super(
                float[].class,
                types(TensorDataType.FP32, NumberConversion.FLOATING),
                types(
                        TensorDataType.FP32,
                        TensorDataType.FP16,
                        TensorDataType.BF16,
                        TensorDataType.INT8,
                        TensorDataType.INT16,
                        TensorDataType.UINT8,
                        TensorDataType.UINT16));
    }

    @Override
    float[] allocate(int length) {
        return new float[length];
    }

    @Override
    int length(float[] array) {
        return array.length;
    }

    @Override
    void set(float[] array, int index, Object value) {
        if (!(value instanceof Float element)) {
            throw UnfitElementException.wrongClass(value, Float.class);
        }
        array[index] = element;
    }

    @Override
    Object get(float[] array, int index) {
        return array[index];
    }

    @Override
    void copyIn(float[] array, ByteBuffer target) {
        target.asFloatBuffer().put(array);
    }

    @Override
    void copyOut(ByteBuffer source, float[] array) {
        source.asFloatBuffer().get(array);
    }

    @Override
    void convertIn(float[] array, TensorDataType type, ByteBuffer target) {
        switch (type) {
            case FP16 -> {
                for (float element : array) {
                    target.putShort(NumberConversion.toHalf(element));
                }
            }
            case BF16 -> {
                for (float element : array) {
                    target.putShort(NumberConversion.toBrainFloat(element));
                }
            }
            default -> {
                for (float element : array) {
                    NumberConversion.putFloating(target, type, element);
                }
            }
        }
    }

    @Override
    void convertOut(ByteBuffer source, TensorDataType type, float[] array) {
        for (int i = 0; i < array.length; i++) {
            array[i] = NumberConversion.toFloat(NumberConversion.getFloating(source, type));
        }
    }
}
