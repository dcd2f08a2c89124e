package io.asyncbatch.flink.sidecar.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.sidecar.TensorDataType;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NumberConversionProperties {

    private static final int INFINITY_FP16 = 0x7C00;
    private static final int INFINITY_BF16 = 0x7F80;

    private final ByteBuffer buffer = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);

    private double read(TensorDataType type, int bits) {
        return NumberConversion.getFloating(buffer.clear().putShort((short) bits).flip(), type);
    }

    private int write(TensorDataType type, double value) {
        NumberConversion.putFloating(buffer.clear(), type, value);
        return buffer.flip().getShort() & 0xFFFF;
    }

    @ParameterizedTest
    @EnumSource(names = {"FP16", "BF16"})
    void everyNumberOfTwoBytesStaysWhatItIs(TensorDataType type) {
        for (int bits = 0; bits < 1 << 16; bits++) {
            double value = read(type, bits);
            if (Double.isNaN(value)) {
                assertThat(read(type, write(type, value))).isNaN();
            } else {
                assertThat(write(type, value)).isEqualTo(bits);
            }
        }
    }

    /** Against the definition: the neighbour that is nearer, or of two the even one. */
    @Property(tries = 5_000)
    void numbersAreRoundedToTheNearest(@ForAll("finite") double value, @ForAll boolean brain) {
        TensorDataType type = brain ? TensorDataType.BF16 : TensorDataType.FP16;
        int infinity = brain ? INFINITY_BF16 : INFINITY_FP16;
        int below = 0;
        int above = infinity;
        while (above - below > 1) {
            int middle = (below + above) / 2;
            if (read(type, middle) <= Math.abs(value)) {
                below = middle;
            } else {
                above = middle;
            }
        }
        BigDecimal low = new BigDecimal(read(type, below));
        // The number that would follow if exponents went on.
        BigDecimal high =
                above < infinity
                        ? new BigDecimal(read(type, above))
                        : new BigDecimal(brain ? 0x1p128 : 0x1p16);
        int nearer =
                new BigDecimal(Math.abs(value))
                        .subtract(low)
                        .compareTo(high.subtract(new BigDecimal(Math.abs(value))));
        int expected = nearer < 0 || nearer == 0 && below % 2 == 0 ? below : above;
        if (expected == infinity) {
            assertThatThrownBy(() -> write(type, value))
                    .isInstanceOf(UnfitElementException.class)
                    .hasMessage("is %s, beyond what %s holds", value, type);
        } else {
            int sign = Double.doubleToRawLongBits(value) < 0 ? 0x8000 : 0;
            assertThat(write(type, value)).isEqualTo(sign | expected);
        }
    }

    /** Floats have loops of their own. */
    @Property(tries = 5_000)
    void floatsAreRoundedLikeDoubles(@ForAll("finite") double value, @ForAll boolean brain) {
        TensorDataType type = brain ? TensorDataType.BF16 : TensorDataType.FP16;
        float narrow = (float) value;
        try {
            new FloatElements().write(new float[] {narrow}, type, buffer.clear());
        } catch (UnfitElementException e) {
            assertThatThrownBy(() -> write(type, narrow)).hasMessage(e.getMessage());
            return;
        }
        int bits = buffer.flip().getShort() & 0xFFFF;
        assertThat(bits).isEqualTo(write(type, narrow));
    }

    /** Any double; and ties, and what is next to one. */
    @Provide
    Arbitrary<Double> finite() {
        Arbitrary<Double> ties =
                Arbitraries.integers()
                        .between(0, INFINITY_FP16 - 1)
                        .map(bits -> (read(TensorDataType.FP16, bits) + read16Above(bits)) / 2);
        Arbitrary<Double> brainTies =
                Arbitraries.integers()
                        .between(0, INFINITY_BF16 - 1)
                        .map(bits -> (double) Float.intBitsToFloat(bits << 16 | 0x8000));
        Arbitrary<Double> exact = Arbitraries.oneOf(ties, brainTies);
        return Arbitraries.oneOf(
                Arbitraries.doubles().filter(Double::isFinite),
                Arbitraries.doubles().between(-70_000, 70_000),
                exact,
                exact.map(Math::nextUp),
                exact.map(Math::nextDown),
                exact.map(value -> -value));
    }

    private double read16Above(int bits) {
        return bits + 1 == INFINITY_FP16 ? 0x1p16 : read(TensorDataType.FP16, bits + 1);
    }
}
