package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.typeinfo.python.PickledByteArrayTypeInfo;
import org.junit.jupiter.api.Test;

class ColumnTypesTest {

    private static final TypeInformation<?> PICKLED =
            PickledByteArrayTypeInfo.PICKLED_BYTE_ARRAY_TYPE_INFO;

    @Test
    void takesEveryOtherType() {
        assertThatCode(
                        () ->
                                ColumnTypes.require(
                                        Types.ROW(
                                                Types.LONG,
                                                Types.TUPLE(Types.BIG_DEC, Types.INSTANT),
                                                Types.MAP(Types.STRING, Types.LIST(Types.FLOAT)),
                                                Types.PRIMITIVE_ARRAY(Types.BYTE)),
                                        "inputs"))
                .doesNotThrowAnyException();
    }

    @Test
    void refusesPickledElements() {
        refuses(
                PICKLED,
                "The inputs of an ArrowAsyncBatchFunction are of type PICKLED_BYTE_ARRAY,");
    }

    @Test
    void refusesWhatIsPickledInside() {
        refuses(
                Types.ROW_NAMED(
                        new String[] {"a"}, Types.TUPLE(Types.MAP(Types.INT, Types.LIST(PICKLED)))),
                "Field 'a.f0{value}[]' of the inputs of an ArrowAsyncBatchFunction is of type"
                        + " PICKLED_BYTE_ARRAY,");
    }

    @Test
    void refusesARowWithoutFields() {
        refuses(
                Types.LIST(Types.ROW()),
                "Field '[]' of the inputs of an ArrowAsyncBatchFunction must have a field");
    }

    private static void refuses(TypeInformation<?> type, String message) {
        assertThatThrownBy(() -> ColumnTypes.require(type, "inputs"))
                .isInstanceOf(UnsupportedElementTypeException.class)
                .hasMessageStartingWith(message);
    }
}
