package io.asyncbatch.flink.batchapi.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.OnFailure;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Call;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Fault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A submitter says once what the provider has, and waits for nothing more. */
@Timeout(60)
class SubmitterTest {

    private static final Duration LONG = Duration.ofMinutes(3);

    @TempDir Path base;

    private final FakeServer server = new FakeServer();

    private BatchInferenceOptions.Builder options() {
        return BatchInferenceRig.options(base)
                .set(BatchInferenceOptions.RESULTS_TOPIC, "results")
                .set(BatchInferenceOptions.ON_FAILURE, OnFailure.SIDE_OUTPUT);
    }

    private BatchInferenceRig<Integer, SubmittedBatch> open() throws Exception {
        return BatchInferenceRig.submitter(options(), server).opened();
    }

    private BatchInferenceRig<Integer, SubmittedBatch> restore(OperatorSubtaskState state)
            throws Exception {
        return BatchInferenceRig.submitter(options(), server).initialized(state).opened();
    }

    private static List<String> rowsOf(BatchInferenceRig<Integer, SubmittedBatch> rig) {
        return rig.sideOutput(BatchInferenceRig.SUBMITTED_ROWS).stream()
                .map(submitted -> submitted.customId + "=" + submitted.row)
                .toList();
    }

    @Test
    void whatTheProviderHasIsEmittedOnceACheckpointHoldsIt() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2);
            rig.snapshot(1);
            assertThat(rig.results()).isEmpty();
            rig.harness.notifyOfCompletedCheckpoint(1);
            rig.runMails();
            FakeServer.Job job = server.job(0);
            assertThat(rig.results())
                    .singleElement()
                    .satisfies(
                            batch -> {
                                assertThat(batch.batchId).isEqualTo(job.id);
                                assertThat(batch.submittedAt.toEpochMilli())
                                        .isEqualTo(rig.timers.getCurrentProcessingTime());
                                assertThat(batch.recordCount).isEqualTo(2);
                                assertThat(batch.inputFile).isEqualTo("file-0");
                                assertThat(batch.resultsTopic).isEqualTo("results");
                                assertThat(batch.apiEndpoint).isEqualTo("http://localhost:1");
                                assertThat(batch.status).isEqualTo("submitted");
                                assertThat(batch.batchNumber).isEqualTo("batch-0-0");
                                assertThat(batch.customIdPrefix).isEqualTo(job.key);
                            });
            assertThat(rowsOf(rig)).containsExactly(job.key + "-0=1", job.key + "-1=2");
            rig.advance(LONG);
            assertThat(server.calls).containsExactly(Call.UPLOAD, Call.CREATE);
            assertThat(rig.counter("batch.jobs.submitted")).isEqualTo(1);
        }
    }

    @Test
    void theEndOfTheInputWaitsForTheProviderOnly() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2, 3);
            rig.harness.endInput();
            rig.runMails();
            assertThat(rig.results()).hasSize(2);
            assertThat(server.running()).as("jobs that go on without the submitter").hasSize(2);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Call.class,
            names = {"UPLOAD", "CREATE"})
    void aRestartAtAnyStepPaysOnceAndSaysSoOnce(Call step) throws Exception {
        server.fault(step, Fault.ANSWER_PENDING);
        OperatorSubtaskState state;
        try (var rig = open()) {
            state = rig.rows(1, 2).checkpoint(1);
            assertThat(rig.results()).isEmpty();
        }
        try (var rig = restore(state)) {
            assertThat(rig.results()).extracting(batch -> batch.batchId).containsExactly("job-0");
            assertThat(rowsOf(rig)).hasSize(2);
            assertThat(server.jobs).hasSize(1);
        }
    }

    /** The sink takes back what left after the checkpoint, so it has to leave again. */
    @Test
    void whatNoCheckpointFollowedLeavesAgain() throws Exception {
        OperatorSubtaskState state;
        try (var rig = open()) {
            state = rig.rows(1, 2).checkpoint(1);
            assertThat(rig.results()).hasSize(1);
        }
        try (var rig = restore(state)) {
            assertThat(rig.results()).extracting(batch -> batch.batchId).containsExactly("job-0");
            state = rig.checkpoint(2);
        }
        try (var rig = restore(state)) {
            assertThat(rig.results()).isEmpty();
            assertThat(server.jobs).hasSize(1);
        }
    }

    @Test
    void rowsThatHaveNotLeftAreRestored() throws Exception {
        int rows = BatchInferenceOperator.EMITTED_PER_MAIL + 10;
        BatchInferenceOptions.Builder large = options().set(BatchInferenceOptions.SIZE, rows);
        OperatorSubtaskState state;
        List<String> output = new ArrayList<>();
        try (var rig = BatchInferenceRig.submitter(large, server).opened()) {
            rig.rows(IntStream.range(0, rows).boxed().toArray(Integer[]::new)).snapshot(1);
            rig.harness.notifyOfCompletedCheckpoint(1);
            while (rowsOf(rig).isEmpty()) {
                assertThat(rig.runMail()).isTrue();
            }
            state = rig.snapshot(2);
            output.addAll(rowsOf(rig));
            assertThat(rig.results()).as("it leaves after its rows").isEmpty();
        }
        assertThat(output).hasSize(BatchInferenceOperator.EMITTED_PER_MAIL);
        try (var rig = BatchInferenceRig.submitter(large, server).initialized(state).opened()) {
            output.addAll(rowsOf(rig));
            assertThat(output).hasSize(rows).doesNotHaveDuplicates();
            assertThat(rig.results()).hasSize(1);
            assertThat(server.count(Call.CREATE)).isEqualTo(1);
        }
    }

    @Test
    void watermarksWaitForTheProviderOnly() throws Exception {
        try (var rig = open()) {
            rig.row(1, 1).watermark(2).row(3, 3).watermark(4);
            assertThat(rig.output()).isEmpty();
            rig.checkpoint(1);
            assertThat(rig.output()).hasSize(3).contains("W:2").endsWith("W:4");
        }
    }

    @Test
    void whatTheProviderDoesNotTakeIsPutAside() throws Exception {
        server.fault(Call.CREATE, Fault.REJECTED, Fault.REJECTED, Fault.REJECTED);
        try (var rig = open()) {
            rig.rows(1, 2, -3).checkpoint(1);
            for (int checkpoint = 2; checkpoint < 8; checkpoint++) {
                rig.advance(LONG).checkpoint(checkpoint);
            }
            assertThat(rig.failures())
                    .containsExactly(
                            "-3 request_refused 0", "1 job_rejected 3", "2 job_rejected 3");
            assertThat(rig.results()).isEmpty();
        }
    }

    @Test
    void orFailsTheTask() throws Exception {
        BatchInferenceOptions.Builder strict =
                options().set(BatchInferenceOptions.ON_FAILURE, OnFailure.FAIL);
        try (var rig = BatchInferenceRig.submitter(strict, server).opened()) {
            assertThatThrownBy(() -> rig.rows(-3)).hasMessageContaining("request_refused");
        }
    }
}
