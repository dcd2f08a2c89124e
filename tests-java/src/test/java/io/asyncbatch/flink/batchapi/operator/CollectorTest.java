package io.asyncbatch.flink.batchapi.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.batchapi.BatchInferenceCollector;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.OnFailure;
import io.asyncbatch.flink.batchapi.CollectedResult;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.client.JobState;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Call;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A collector emits the results of batches that another job submitted, each once. */
@Timeout(60)
class CollectorTest {

    private static final Duration POLL = Duration.ofSeconds(13);

    @TempDir Path base;

    private final FakeServer server = new FakeServer();

    private BatchInferenceOptions.Builder options() {
        return BatchInferenceOptions.builder("http://localhost:1")
                .set(BatchInferenceOptions.ON_FAILURE, OnFailure.SIDE_OUTPUT)
                .set(BatchInferenceOptions.LOCAL_DIR, base.resolve("batches").toString());
    }

    private BatchInferenceRig<SubmittedBatch, CollectedResult<Integer>> open() throws Exception {
        return BatchInferenceRig.collector(options(), server).opened();
    }

    private BatchInferenceRig<SubmittedBatch, CollectedResult<Integer>> restore(
            OperatorSubtaskState state) throws Exception {
        return BatchInferenceRig.collector(options(), server).initialized(state).opened();
    }

    /** Batches that the provider has, of the numbers from 0 on. */
    private List<SubmittedBatch> submitted(int rows, int size) throws Exception {
        BatchInferenceOptions.Builder submission =
                BatchInferenceRig.options(base)
                        .set(BatchInferenceOptions.SIZE, size)
                        .set(BatchInferenceOptions.RESULTS_TOPIC, "results");
        try (var rig = BatchInferenceRig.submitter(submission, server).opened()) {
            rig.rows(IntStream.range(0, rows).boxed().toArray(Integer[]::new)).checkpoint(1);
            server.calls.clear();
            return rig.results();
        }
    }

    private static List<String> results(
            BatchInferenceRig<SubmittedBatch, CollectedResult<Integer>> rig) {
        return rig.results().stream()
                .map(
                        collected ->
                                collected.request.batchId
                                        + " "
                                        + collected.request.customId
                                        + " "
                                        + collected.request.resultsTopic
                                        + " "
                                        + collected.result)
                .toList();
    }

    @Test
    void eachRequestHasItsResult() throws Exception {
        SubmittedBatch batch = submitted(2, 2).get(0);
        try (var rig = open()) {
            rig.row(batch, 7).watermark(8);
            assertThat(rig.output()).isEmpty();
            server.complete(0);
            rig.advance(POLL);
            String key = server.job(0).key;
            assertThat(results(rig))
                    .containsExactly(
                            "job-0 " + key + "-0 results 0", "job-0 " + key + "-1 results 10");
            assertThat(rig.output()).hasSize(3).endsWith("W:8").first().asString().endsWith("@7");
            assertThat(server.calls).doesNotContain(Call.CREATE, Call.UPLOAD, Call.LIST);
            assertThat(rig.counter("batch.jobs.completed")).isEqualTo(1);
            assertThat(rig.counter("batch.jobs.adopted")).isZero();
        }
    }

    @Test
    void requestsWithoutAResultArePutAsideAndNotSubmitted() throws Exception {
        SubmittedBatch batch = submitted(3, 3).get(0);
        try (var rig = open()) {
            rig.rows(batch);
            FakeServer.Job job = server.job(0);
            server.end(
                    job,
                    JobState.EXPIRED,
                    FakeServer.lines(job, 1)
                            + FakeServer.error(job.key + "-1", "batch_expired")
                            + FakeServer.line("of-nobody", "1"));
            rig.advance(POLL);
            assertThat(rig.results()).extracting(collected -> collected.result).containsExactly(0);
            assertThat(rig.described(BatchInferenceCollector.failedRequests()))
                    .containsExactly(
                            job.key + "-1 batch_expired 1", job.key + "-2 batch_expired 1");
            assertThat(server.jobs).hasSize(1);
        }
    }

    @Test
    void orFailTheTask() throws Exception {
        SubmittedBatch batch = submitted(1, 1).get(0);
        BatchInferenceOptions.Builder strict =
                options().set(BatchInferenceOptions.ON_FAILURE, OnFailure.FAIL);
        try (var rig = BatchInferenceRig.collector(strict, server).opened()) {
            rig.rows(batch);
            server.job(0).state = JobState.FAILED;
            assertThatThrownBy(() -> rig.advance(POLL)).hasMessageContaining("batch_failed");
        }
    }

    @Test
    void aRestartGoesOnWithWhatHasNotLeft() throws Exception {
        int rows = BatchInferenceOperator.EMITTED_PER_MAIL + 10;
        List<SubmittedBatch> batches = submitted(2 * rows, rows);
        OperatorSubtaskState state;
        List<String> output = new ArrayList<>();
        try (var rig = open()) {
            rig.row(batches.get(0), 1).watermark(2).row(batches.get(1), 3);
            server.complete(0);
            rig.timers.advance(POLL.toMillis());
            while (rig.results().isEmpty()) {
                assertThat(rig.runMail()).isTrue();
            }
            state = rig.snapshot(2);
            output.addAll(results(rig));
            assertThat(output).hasSize(BatchInferenceOperator.EMITTED_PER_MAIL);
        }
        server.complete(1);
        try (var rig = restore(state)) {
            output.addAll(results(rig));
            assertThat(output).hasSize(2 * rows).doesNotHaveDuplicates();
            assertThat(rig.output().indexOf("W:2")).isEqualTo(10);
            assertThat(server.count(Call.FETCH)).isEqualTo(2);
            assertThat(rig.counter("batch.jobs.adopted")).isEqualTo(1);
        }
    }

    @Test
    void theTimeABatchMayTakeGoesOn() throws Exception {
        SubmittedBatch batch = submitted(2, 2).get(0);
        OperatorSubtaskState state;
        try (var rig = open()) {
            rig.rows(batch);
            for (int poll = 0; poll < 40; poll++) {
                rig.advance(POLL);
            }
            state = rig.snapshot(1);
            assertThat(server.count(Call.CANCEL)).isZero();
        }
        try (var rig = restore(state)) {
            for (int poll = 0; poll < 12; poll++) {
                rig.advance(POLL);
            }
            assertThat(server.count(Call.CANCEL)).isEqualTo(1);
            assertThat(rig.results()).hasSize(1);
            assertThat(rig.described(BatchInferenceCollector.failedRequests()))
                    .containsExactly(batch.customIdPrefix + "-1 max_wait 1");
        }
    }

    @Test
    void rescalingHandsBatchesToOthers() throws Exception {
        List<SubmittedBatch> batches = submitted(6, 2);
        OperatorSubtaskState state;
        try (var rig = open()) {
            state = rig.rows(batches.toArray(SubmittedBatch[]::new)).snapshot(1);
        }
        server.running().forEach(server::complete);
        List<String> output = new ArrayList<>();
        for (int subtask = 0; subtask < 2; subtask++) {
            OperatorSubtaskState part =
                    AbstractStreamOperatorTestHarness.repartitionOperatorState(
                            state, 128, 1, 2, subtask);
            try (var rig = restore(part)) {
                output.addAll(results(rig));
            }
        }
        assertThat(output).hasSize(6).doesNotHaveDuplicates();
    }

    @Test
    void theEndOfTheInputWaitsForAllBatches() throws Exception {
        List<SubmittedBatch> batches = submitted(4, 2);
        try (var rig = open()) {
            rig.rows(batches.toArray(SubmittedBatch[]::new)).finish(server);
            assertThat(rig.results()).hasSize(4);
        }
    }

    static Stream<Arguments> batchesOfNobody() {
        return Stream.of(
                refused("batch_id must match", batch -> batch.batchId = "../files"),
                refused("batch_id must match", batch -> batch.batchId = null),
                refused("custom_id_prefix must match", batch -> batch.customIdPrefix = "x"),
                refused("batch_number must match", batch -> batch.batchNumber = "a\nb"),
                refused("between 1 and 50000, got 0", batch -> batch.recordCount = 0),
                refused("got 50001", batch -> batch.recordCount = 50_001),
                refused("must have submitted_at", batch -> batch.submittedAt = null),
                refused("at most 1000 characters", batch -> batch.status = "s".repeat(1_001)),
                refused("another API than", batch -> batch.apiEndpoint = "https://elsewhere/v1"));
    }

    private static Arguments refused(String message, Consumer<SubmittedBatch> change) {
        return Arguments.of(message, change);
    }

    @ParameterizedTest
    @MethodSource("batchesOfNobody")
    void whatNoSubmitterWroteIsRefused(String message, Consumer<SubmittedBatch> change)
            throws Exception {
        SubmittedBatch batch = submitted(1, 1).get(0);
        change.accept(batch);
        try (var rig = open()) {
            assertThatThrownBy(() -> rig.rows(batch)).hasMessageContaining(message);
            assertThat(server.calls).isEmpty();
        }
    }
}
