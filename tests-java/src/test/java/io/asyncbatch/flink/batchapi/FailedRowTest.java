package io.asyncbatch.flink.batchapi;

import static org.assertj.core.api.Assertions.assertThat;

import org.apache.flink.api.common.serialization.SerializerConfigImpl;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.typeutils.PojoTypeInfo;
import org.apache.flink.core.memory.DataInputDeserializer;
import org.apache.flink.core.memory.DataOutputSerializer;
import org.junit.jupiter.api.Test;

/** Rows that failed travel like any others. */
class FailedRowTest {

    @Test
    void theRowsOwnTypeIsKept() throws Exception {
        TypeInformation<FailedRow<Tuple2<Integer, String>>> type =
                FailedRow.type(Types.TUPLE(Types.INT, Types.STRING));
        assertThat(type).isInstanceOf(PojoTypeInfo.class);
        TypeSerializer<FailedRow<Tuple2<Integer, String>>> serializer =
                type.createSerializer(new SerializerConfigImpl());
        FailedRow<Tuple2<Integer, String>> failed =
                new FailedRow<>(Tuple2.of(7, "text"), "code", "message", 3);
        DataOutputSerializer target = new DataOutputSerializer(64);
        serializer.serialize(failed, target);
        assertThat(serializer.deserialize(new DataInputDeserializer(target.getCopyOfBuffer())))
                .usingRecursiveComparison()
                .isEqualTo(failed);
    }
}
