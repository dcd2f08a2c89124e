package io.asyncbatch.flink.sidecar.codec;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Set;
import org.apache.arrow.memory.util.Float16;

/**
 * One number at a little-endian buffer's position, in a type that is not Java's own. Integers are
 * kept or refused; floating-point numbers are rounded to the nearest, ties to even, and refused
 * where that would make a finite one infinite. Stateless.
 */
final class NumberConversion {

    static final Set<TensorDataType> FLOATING =
            Collections.unmodifiableSet(
                    EnumSet.of(
                            TensorDataType.FP16,
                            TensorDataType.BF16,
                            TensorDataType.FP32,
                            TensorDataType.FP64));

    /** All types but those of truth values and of bytes. */
    static final Set<TensorDataType> NUMBERS =
            Collections.unmodifiableSet(
                    EnumSet.complementOf(EnumSet.of(TensorDataType.BOOL, TensorDataType.BYTES)));

    private static final double BEYOND_LONG = 0x1p63;

    private static final int LEAST_NORMAL_HALF = Float.floatToRawIntBits(0x1p-14f);

    /** The least that would be rounded to infinity. */
    private static final int BEYOND_HALF = Float.floatToRawIntBits(65_520);

    /** Between the exponents of the same number in both types. */
    private static final int HALF_BIAS = 127 - 15 << 23;

    private NumberConversion() {}

    /** Into a floating type only if it is one of its numbers. */
    static void putInteger(ByteBuffer target, TensorDataType type, long value) {
        switch (type) {
            case INT8 -> target.put((byte) within(type, value, Byte.MIN_VALUE, Byte.MAX_VALUE));
            case UINT8 -> target.put((byte) within(type, value, 0, 0xFFL));
            case INT16 ->
                    target.putShort((short) within(type, value, Short.MIN_VALUE, Short.MAX_VALUE));
            case UINT16 -> target.putShort((short) within(type, value, 0, 0xFFFFL));
            case INT32 ->
                    target.putInt((int) within(type, value, Integer.MIN_VALUE, Integer.MAX_VALUE));
            case UINT32 -> target.putInt((int) within(type, value, 0, 0xFFFF_FFFFL));
            case INT64 -> target.putLong(value);
            case UINT64 -> target.putLong(within(type, value, 0, Long.MAX_VALUE));
            case FP16, BF16, FP32, FP64 -> putFloating(target, type, exact(type, value));
            default -> throw noNumber(type);
        }
    }

    /** From a floating type only if it is an integer. */
    static long getInteger(ByteBuffer source, TensorDataType type) {
        return switch (type) {
            case INT8 -> source.get();
            case UINT8 -> Byte.toUnsignedLong(source.get());
            case INT16 -> source.getShort();
            case UINT16 -> Short.toUnsignedLong(source.getShort());
            case INT32 -> source.getInt();
            case UINT32 -> Integer.toUnsignedLong(source.getInt());
            case INT64 -> source.getLong();
            case UINT64 -> signed(source.getLong());
            case FP16, BF16, FP32, FP64 -> integral(getFloating(source, type));
            default -> throw noNumber(type);
        };
    }

    static void putFloating(ByteBuffer target, TensorDataType type, double value) {
        switch (type) {
            case FP16 -> target.putShort(toHalf(toOdd(value), value));
            case BF16 -> target.putShort(toBrainFloat(toOdd(value), value));
            case FP32 -> target.putFloat(toFloat(value));
            case FP64 -> target.putDouble(value);
            default -> throw noNumber(type);
        }
    }

    /** Of any type that has numbers; an integer that no double holds is the caller's to avoid. */
    static double getFloating(ByteBuffer source, TensorDataType type) {
        return switch (type) {
            case FP16 -> Float16.toFloat(source.getShort());
            case BF16 -> fromBrainFloat(source.getShort());
            case FP32 -> source.getFloat();
            case FP64 -> source.getDouble();
            default -> getInteger(source, type);
        };
    }

    static float toFloat(double value) {
        float rounded = (float) value;
        if (Float.isInfinite(rounded) && !Double.isInfinite(value)) {
            throw beyond(TensorDataType.FP32, value);
        }
        return rounded;
    }

    static short toHalf(float value) {
        int bits = Float.floatToRawIntBits(value);
        int magnitude = bits & 0x7FFF_FFFF;
        if (magnitude >= LEAST_NORMAL_HALF && magnitude < BEYOND_HALF) {
            // Almost all numbers come here, and none to a branch that is hard to foretell.
            int tiesToEven = 0xFFF + (magnitude >>> 13 & 1);
            int rounded = magnitude - HALF_BIAS + tiesToEven >>> 13;
            return (short) (bits >>> Short.SIZE & 0x8000 | rounded);
        }
        return toHalf(value, value);
    }

    static short toBrainFloat(float value) {
        return toBrainFloat(value, value);
    }

    private static float fromBrainFloat(short bits) {
        return Float.intBitsToFloat(bits << Short.SIZE);
    }

    private static short toHalf(float value, double original) {
        short half = Float16.toFloat16(value);
        if ((half & 0x7FFF) == Float16.POSITIVE_INFINITY && !Double.isInfinite(original)) {
            throw beyond(TensorDataType.FP16, original);
        }
        return half;
    }

    private static short toBrainFloat(float value, double original) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            // The upper half alone could be an infinity.
            return (short) (bits >>> Short.SIZE | 0x40);
        }
        int tiesToEven = 0x7FFF + (bits >>> Short.SIZE & 1);
        short rounded = (short) (bits + tiesToEven >>> Short.SIZE);
        if ((rounded & 0x7FFF) == 0x7F80 && !Double.isInfinite(original)) {
            throw beyond(TensorDataType.BF16, original);
        }
        return rounded;
    }

    /**
     * Of the two floats around a number the one whose last bit is set. Rounding that to fewer bits
     * is right, while a float rounded to the nearest would be rounded twice.
     */
    private static float toOdd(double value) {
        float nearest = (float) value;
        int bits = Float.floatToRawIntBits(nearest);
        if (nearest == value || Double.isNaN(value) || (bits & 1) != 0) {
            return nearest;
        }
        return Float.intBitsToFloat(Math.abs(nearest) < Math.abs(value) ? bits + 1 : bits - 1);
    }

    private static double exact(TensorDataType type, long value) {
        double number = value;
        boolean kept =
                number < BEYOND_LONG
                        && (long) number == value
                        && switch (type) {
                            case FP16 ->
                                    Float16.toFloat(Float16.toFloat16((float) number)) == number;
                            case BF16 ->
                                    (Float.floatToRawIntBits((float) number) & 0xFFFF) == 0
                                            && (float) number == number;
                            case FP32 -> (float) number == number;
                            default -> true;
                        };
        if (!kept) {
            throw new UnfitElementException("is %d, which %s does not hold".formatted(value, type));
        }
        return number;
    }

    private static long integral(double value) {
        long integer = (long) value;
        if (integer != value || value == BEYOND_LONG) {
            throw new UnfitElementException("is %s, expected an integer".formatted(value));
        }
        return integer;
    }

    private static long signed(long value) {
        if (value < 0) {
            throw new UnfitElementException(
                    "is %s, at most %d is accepted"
                            .formatted(Long.toUnsignedString(value), Long.MAX_VALUE));
        }
        return value;
    }

    static long within(Object type, long value, long least, long most) {
        if (value < least || value > most) {
            throw new UnfitElementException(
                    "is %d, %s takes %d to %d".formatted(value, type, least, most));
        }
        return value;
    }

    private static UnfitElementException beyond(TensorDataType type, double value) {
        return new UnfitElementException("is %s, beyond what %s holds".formatted(value, type));
    }

    private static IllegalStateException noNumber(TensorDataType type) {
        return new IllegalStateException(type + " holds no numbers");
    }
}
