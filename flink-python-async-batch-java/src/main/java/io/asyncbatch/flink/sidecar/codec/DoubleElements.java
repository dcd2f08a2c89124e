package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;

/** Doubles. Stateless. */
final class DoubleElements extends NumericElements<double[]> {

    private static final long serialVersionUID = 1L;

    DoubleElements() {
        super(
                double[].class,
                types(TensorDataType.FP64, NumberConversion.FLOATING),
                types(
                        TensorDataType.FP64,
                        TensorDataType.FP32,
                        TensorDataType.FP16,
                        TensorDataType.BF16,
                        TensorDataType.INT8,
                        TensorDataType.INT16,
                        TensorDataType.INT32,
                        TensorDataType.UINT8,
                        TensorDataType.UINT16,
                        TensorDataType.UINT32));
    }

    @Override
    double[] allocate(int length) {
        return new double[length];
    }

    @Override
    int length(double[] array) {
        return array.length;
    }

    @Override
    void set(double[] array, int index, Object value) {
        if (!(value instanceof Double element)) {
            throw UnfitElementException.wrongClass(value, Double.class);
        }
        array[index] = element;
    }

    @Override
    Object get(double[] array, int index) {
        return array[index];
    }

    @Override
    void copyIn(double[] array, ByteBuffer target) {
        target.asDoubleBuffer().put(array);
    }

    @Override
    void copyOut(ByteBuffer source, double[] array) {
        source.asDoubleBuffer().get(array);
    }

    @Override
    void convertIn(double[] array, TensorDataType type, ByteBuffer target) {
        if (type == TensorDataType.FP32) {
            for (double element : array) {
                target.putFloat(NumberConversion.toFloat(element));
            }
            return;
        }
        for (double element : array) {
            NumberConversion.putFloating(target, type, element);
        }
    }

    @Override
    void convertOut(ByteBuffer source, TensorDataType type, double[] array) {
        for (int i = 0; i < array.length; i++) {
            array[i] = NumberConversion.getFloating(source, type);
        }
    }
}
