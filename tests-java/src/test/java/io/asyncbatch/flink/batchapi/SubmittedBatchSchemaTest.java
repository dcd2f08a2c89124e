package io.asyncbatch.flink.batchapi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.PojoTypeInfo;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SubmittedBatchSchemaTest {

    private static final String JSON =
            "{\"batch_id\":\"batch_1\",\"submitted_at\":\"2026-01-02T03:04:05.678Z\","
                    + "\"record_count\":3,\"input_file\":\"file-1\",\"results_topic\":\"results\","
                    + "\"api_endpoint\":\"https://api.example/v1\",\"status\":\"submitted\","
                    + "\"batch_number\":\"batch-0-0\",\"custom_id_prefix\":\"0123\"}";

    private final SubmittedBatchSchema schema = new SubmittedBatchSchema();

    private static SubmittedBatch batch() {
        SubmittedBatch batch = new SubmittedBatch();
        batch.batchId = "batch_1";
        batch.submittedAt = Instant.parse("2026-01-02T03:04:05.678Z");
        batch.recordCount = 3;
        batch.inputFile = "file-1";
        batch.resultsTopic = "results";
        batch.apiEndpoint = "https://api.example/v1";
        batch.status = "submitted";
        batch.batchNumber = "batch-0-0";
        batch.customIdPrefix = "0123";
        return batch;
    }

    @Test
    void aBatchIsAnObjectWithTheNamesOfTheProposal() {
        assertThat(new String(schema.serialize(batch()), StandardCharsets.UTF_8)).isEqualTo(JSON);
    }

    @Test
    void itComesBackAsItWas() throws IOException {
        assertThat(schema.deserialize(schema.serialize(batch())))
                .usingRecursiveComparison()
                .isEqualTo(batch());
    }

    @Test
    void fieldsOfLaterVersionsAreIgnored() throws IOException {
        String more = JSON.replaceFirst("\\{", "{\"new\":[1],");
        assertThat(schema.deserialize(more.getBytes(StandardCharsets.UTF_8)).batchId)
                .isEqualTo("batch_1");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"batch_1\"|7|batch_id must be a string",
                "count.:3|count\":\"3\"|record_count must be a 32-bit integer",
                "count.:3|count\":3000000000|record_count must be a 32-bit integer",
                "2026-01-02T|2026-|submitted_at must be a time such as",
                "\"status\"|\"state\"|status must be a string",
                "}|]|must be a JSON object"
            })
    void whatIsNoBatchIsNamedAndNotQuoted(String part, String wrong, String message) {
        byte[] bytes = JSON.replaceFirst(part, wrong).getBytes(StandardCharsets.UTF_8);
        assertThatThrownBy(() -> schema.deserialize(bytes))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(message)
                .hasMessageNotContaining("api.example");
    }

    @ParameterizedTest
    @CsvSource({"''", "[]", "null", "7"})
    void somethingElseIsNoBatch(String json) {
        assertThatThrownBy(() -> schema.deserialize(json.getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("must be a JSON object");
    }

    /** With a serializer of its own, not Kryo's. */
    @Test
    void whatJobsHandOnArePojos() {
        assertThat(Types.POJO(SubmittedBatch.class)).isInstanceOf(PojoTypeInfo.class);
        assertThat(Types.POJO(RequestId.class)).isInstanceOf(PojoTypeInfo.class);
        assertThat(SubmittedRow.type(Types.INT)).isInstanceOf(PojoTypeInfo.class);
        assertThat(CollectedResult.type(Types.INT)).isInstanceOf(PojoTypeInfo.class);
        assertThat(schema.getProducedType()).isEqualTo(Types.POJO(SubmittedBatch.class));
    }
}
