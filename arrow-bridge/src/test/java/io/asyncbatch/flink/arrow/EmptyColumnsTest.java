package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.apache.arrow.flatbuf.Buffer;
import org.apache.arrow.flatbuf.FieldNode;
import org.apache.arrow.flatbuf.Message;
import org.apache.arrow.flatbuf.RecordBatch;
import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.util.MemoryUtil;
import org.apache.arrow.vector.BufferLayout.BufferType;
import org.apache.arrow.vector.TypeLayout;
import org.apache.arrow.vector.types.pojo.Field;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Columns below lists and maps that are all empty. Each has a first offset all the same: readers in
 * other languages take it from whatever lies behind a buffer that has none.
 */
class EmptyColumnsTest {

    private static final int PREFIX_BYTES = 8;

    static List<Arguments> columns() {
        return List.of(
                Arguments.of(Types.LIST(Types.STRING), List.of()),
                Arguments.of(Types.LIST(Types.LIST(Types.LONG)), List.of()),
                Arguments.of(Types.LIST(Types.LIST(Types.LIST(Types.STRING))), List.of()),
                Arguments.of(Types.LIST(Types.MAP(Types.STRING, Types.LONG)), List.of()),
                Arguments.of(Types.LIST(Types.PRIMITIVE_ARRAY(Types.DOUBLE)), List.of()),
                Arguments.of(Types.MAP(Types.STRING, Types.LIST(Types.LONG)), Map.of()),
                Arguments.of(
                        Types.MAP(Types.STRING, Types.MAP(Types.STRING, Types.STRING)), Map.of()));
    }

    @ParameterizedTest
    @MethodSource("columns")
    void haveAFirstOffset(TypeInformation<Object> type, Object empty) {
        try (Codec<Object> codec = new Codec<>(type)) {
            List<Object> rows = Collections.nCopies(3, empty);
            assertOffsets(type, codec.encode(rows));
            // The vectors are kept, and have had rows.
            assertOffsets(type, codec.encode(rows));
        }
    }

    @ParameterizedTest
    @MethodSource("columns")
    void haveAFirstOffsetWhereTheyAreLent(TypeInformation<Object> type, Object empty) {
        try (Codec<Object> codec = new Codec<>(type);
                LentBatch batch = codec.writer.lend(List.of(empty));
                ArrowBuf struct = codec.reading.buffer(CDataStruct.BYTES)) {
            batch.lend(struct.memoryAddress(), 1, 1);
            assertLentOffsets(struct.memoryAddress(), fields(type));
        }
    }

    private static List<Field> fields(TypeInformation<?> type) {
        return ArrowSchemas.forElement(ElementTypes.of(type)).getFields();
    }

    private static void assertOffsets(TypeInformation<?> type, byte[] bytes) {
        ByteBuffer message = ByteBuffer.wrap(bytes, PREFIX_BYTES, bytes.length - PREFIX_BYTES);
        RecordBatch batch =
                (RecordBatch) Message.getRootAsMessage(message.slice()).header(new RecordBatch());
        List<FieldNode> nodes = new ArrayList<>();
        for (int i = 0; i < batch.nodesLength(); i++) {
            nodes.add(batch.nodes(i));
        }
        List<Buffer> buffers = new ArrayList<>();
        for (int i = 0; i < batch.buffersLength(); i++) {
            buffers.add(batch.buffers(i));
        }
        assertOffsets(fields(type), nodes.iterator(), buffers.iterator());
    }

    private static void assertOffsets(
            List<Field> fields, Iterator<FieldNode> nodes, Iterator<Buffer> buffers) {
        for (Field field : fields) {
            long values = nodes.next().length();
            for (BufferType kind : TypeLayout.getTypeLayout(field.getType()).getBufferTypes()) {
                long bytes = buffers.next().length();
                if (kind == BufferType.OFFSET) {
                    assertThat(bytes).as(field.toString()).isGreaterThanOrEqualTo(4 * (values + 1));
                }
            }
            assertOffsets(field.getChildren(), nodes, buffers);
        }
    }

    private static void assertLentOffsets(long struct, List<Field> fields) {
        for (int i = 0; i < fields.size(); i++) {
            Field field = fields.get(i);
            long array = CDataStruct.pointer(struct, CDataStruct.CHILDREN, i);
            List<BufferType> kinds = TypeLayout.getTypeLayout(field.getType()).getBufferTypes();
            int offsets = kinds.indexOf(BufferType.OFFSET);
            if (offsets >= 0) {
                long buffer = CDataStruct.pointer(array, CDataStruct.BUFFERS, offsets);
                assertThat(buffer).as(field.toString()).isNotZero();
                assertThat(MemoryUtil.getInt(buffer)).as(field.toString()).isZero();
            }
            assertLentOffsets(array, field.getChildren());
        }
    }
}
