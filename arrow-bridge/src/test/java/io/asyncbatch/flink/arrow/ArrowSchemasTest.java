package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.arrow.ElementSamples.Sample;
import java.io.ByteArrayInputStream;
import java.nio.channels.Channels;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.arrow.vector.ipc.ReadChannel;
import org.apache.arrow.vector.ipc.message.MessageSerializer;
import org.apache.arrow.vector.types.pojo.Schema;
import org.apache.flink.api.common.typeinfo.BasicTypeInfo;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class ArrowSchemasTest {

    static List<Sample<?>> samples() {
        return ElementSamples.all();
    }

    @ParameterizedTest
    @MethodSource("samples")
    void bytesAreAnArrowSchemaMessage(Sample<?> sample) throws Exception {
        Schema schema = ArrowSchemas.forType(sample.type());
        byte[] bytes = ArrowSchemas.toBytes(schema);
        try (ReadChannel channel =
                new ReadChannel(Channels.newChannel(new ByteArrayInputStream(bytes)))) {
            assertThat(MessageSerializer.deserializeSchema(channel)).isEqualTo(schema);
        }
    }

    @Test
    void otherTypesAreRefusedByNameAndPath() {
        assertThatThrownBy(() -> ArrowSchemas.forType(Types.ENUM(TimeUnit.class)))
                .isInstanceOf(UnsupportedElementTypeException.class)
                .hasMessageContainingAll(
                        "The element is", "EnumTypeInfo", "Supported types: BOOLEAN");
        TypeInformation<?> nested =
                Types.ROW_NAMED(
                        new String[] {"id", "list"},
                        Types.LONG,
                        Types.LIST(
                                Types.TUPLE(
                                        Types.INT,
                                        Types.MAP(Types.STRING, Types.GENERIC(Thread.class)))));
        assertThatThrownBy(() -> ArrowSchemas.forType(nested))
                .isInstanceOf(UnsupportedElementTypeException.class)
                .hasMessageContainingAll("'list[].f1{value}'", "java.lang.Thread");
        assertThatThrownBy(() -> ArrowSchemas.forType(BasicTypeInfo.DATE_TYPE_INFO))
                .isInstanceOf(UnsupportedElementTypeException.class)
                .hasMessageContaining("Date");
        assertThatThrownBy(() -> ArrowSchemas.forType(Types.VOID))
                .isInstanceOf(UnsupportedElementTypeException.class)
                .hasMessageContaining("Void");
    }

    @Test
    void keysThatPythonCannotHashAreRefused() {
        for (TypeInformation<?> key :
                List.of(
                        Types.INSTANT,
                        Types.LIST(Types.INT),
                        Types.TUPLE(Types.INT, Types.LIST(Types.INT)),
                        Types.MAP(Types.INT, Types.INT))) {
            assertThatThrownBy(() -> ArrowSchemas.forType(Types.MAP(key, Types.INT)))
                    .isInstanceOf(UnsupportedElementTypeException.class)
                    .hasMessageContaining("'{key}'");
        }
        assertThat(ArrowSchemas.forType(Types.MAP(Types.TUPLE(Types.INT), Types.INT))).isNotNull();
    }

    @Test
    void nestingIsBoundedByWhatTheWorkersArrowReads() {
        assertThat(ArrowSchemas.forType(lists(ElementTypes.MAX_ARROW_DEPTH - 1))).isNotNull();
        for (int depth : new int[] {ElementTypes.MAX_ARROW_DEPTH, 100, 2_000}) {
            assertThatThrownBy(() -> ArrowSchemas.forType(lists(depth)))
                    .isInstanceOf(UnsupportedElementTypeException.class)
                    .hasMessageContaining("at most 60 levels");
        }
    }

    @Test
    void deepestElementsReturn() {
        Object value = 7L;
        for (int i = 1; i < ElementTypes.MAX_ARROW_DEPTH; i++) {
            value = List.of(value);
        }
        roundTrip(lists(ElementTypes.MAX_ARROW_DEPTH - 1), value);
    }

    @SuppressWarnings("unchecked")
    private static <T> void roundTrip(TypeInformation<T> type, Object value) {
        try (Codec<T> codec = new Codec<>(type)) {
            assertThat(codec.decode(codec.encode(List.of((T) value)), 1)).isEqualTo(List.of(value));
        }
    }

    private static TypeInformation<?> lists(int depth) {
        TypeInformation<?> type = Types.LONG;
        for (int i = 0; i < depth; i++) {
            type = Types.LIST(type);
        }
        return type;
    }
}
