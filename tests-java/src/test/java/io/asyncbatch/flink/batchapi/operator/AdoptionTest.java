package io.asyncbatch.flink.batchapi.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.OnFailure;
import io.asyncbatch.flink.batchapi.client.JobState;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Call;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Fault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A restart goes on with what was paid for. */
@Timeout(60)
class AdoptionTest {

    private static final Duration POLL = Duration.ofSeconds(13);
    private static final Duration LONG = Duration.ofMinutes(3);

    @TempDir Path base;

    private final FakeServer server = new FakeServer();

    private BatchInferenceOptions.Builder options() {
        return BatchInferenceRig.options(base);
    }

    private BatchInferenceRig<Integer, Integer> open() throws Exception {
        return BatchInferenceRig.open(options(), server);
    }

    private BatchInferenceRig<Integer, Integer> restore(OperatorSubtaskState state)
            throws Exception {
        return BatchInferenceRig.restore(options(), server, state);
    }

    @Test
    void aJobIsCreatedOnceACheckpointHoldsIt() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2);
            rig.snapshot(1);
            assertThat(server.calls).isEmpty();
            rig.rows(3, 4);
            rig.harness.notifyOfCompletedCheckpoint(1);
            rig.runMails();
            assertThat(server.jobs).hasSize(1);
            assertThat(server.job(0).values()).containsExactly(1, 2);
            rig.checkpoint(2);
            assertThat(server.jobs).hasSize(2);
            assertThat(server.count(Call.LIST)).isZero();
        }
    }

    @Test
    void aLaterCheckpointWillDo() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2);
            rig.snapshot(1);
            rig.checkpoint(2);
            assertThat(server.jobs).hasSize(1);
        }
    }

    @Test
    void memoryDoesNotWaitForCheckpointsThatFail() throws Exception {
        try (var rig =
                BatchInferenceRig.open(options().set(BatchInferenceOptions.MAX_JOBS, 2), server)) {
            rig.rows(1, 2, 3, 4);
            assertThat(server.jobs).isEmpty();
            rig.rows(5, 6);
            assertThat(server.jobs).hasSize(1);
            assertThat(server.job(0).values()).containsExactly(1, 2);
        }
    }

    @Test
    void withoutThatWishJobsAreCreatedAtOnce() throws Exception {
        try (var rig =
                BatchInferenceRig.open(
                        options().set(BatchInferenceOptions.SUBMIT_AFTER_CHECKPOINT, false),
                        server)) {
            rig.rows(1, 2);
            assertThat(server.jobs).hasSize(1);
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Call.class,
            names = {"UPLOAD", "CREATE", "STATUS", "FETCH"})
    void aRestartAtAnyStepPaysNothingTwice(Call step) throws Exception {
        server.fault(step, Fault.ANSWER_PENDING);
        OperatorSubtaskState state;
        try (var rig = open()) {
            state = rig.rows(1, 2).checkpoint(1);
            server.running().forEach(server::complete);
            rig.advance(POLL);
        }
        assertThat(server.pending).hasSize(1);
        try (var rig = restore(state)) {
            server.running().forEach(server::complete);
            rig.advance(POLL);
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20");
            assertThat(server.jobs).hasSize(1);
        }
    }

    @Test
    void aJobWhoseIdIsKnownIsNotLookedFor() throws Exception {
        OperatorSubtaskState state;
        try (var rig = open()) {
            rig.rows(1, 2).checkpoint(1);
            state = rig.checkpoint(2);
        }
        server.complete(0);
        try (var rig = restore(state)) {
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20");
            assertThat(server.calls).doesNotContain(Call.LIST).containsOnlyOnce(Call.CREATE);
            assertThat(rig.counter("batch.jobs.adopted")).isEqualTo(1);
        }
    }

    @Test
    void manyJobsAreLookedForInOneWalkThroughTheList() throws Exception {
        OperatorSubtaskState state;
        try (var rig = open()) {
            state = rig.rows(1, 2, 3, 4, 5, 6, 7, 8).checkpoint(1);
        }
        assertThat(server.jobs).hasSize(4);
        server.fault(Call.LIST, Fault.FAILS);
        try (var rig = restore(state)) {
            rig.advance(LONG);
            assertThat(rig.counter("batch.jobs.adopted")).isEqualTo(4);
            assertThat(server.count(Call.LIST))
                    .as("a page that failed, two pages, and what began to be looked for meanwhile")
                    .isBetween(3L, 5L);
            assertThat(server.jobs).hasSize(4);
        }
    }

    @Test
    void aListThatCannotBeHadFailsTheTask() throws Exception {
        BatchInferenceOptions.Builder once = options().set(BatchInferenceOptions.MAX_RETRIES, 1);
        OperatorSubtaskState state;
        try (var rig = BatchInferenceRig.open(once, server)) {
            state = rig.rows(1, 2).checkpoint(1);
        }
        server.fault(Call.LIST, Fault.FAILS, Fault.FAILS);
        try (var rig = BatchInferenceRig.restore(once, server, state)) {
            assertThatThrownBy(() -> rig.advance(LONG))
                    .hasMessageContaining("Could not list the Batch API's jobs after 1 repetition");
        }
    }

    @Test
    void whereNothingIsListedAJobIsCreatedAgain() throws Exception {
        OperatorSubtaskState state;
        try (var rig = open()) {
            state = rig.rows(1, 2).checkpoint(1);
        }
        server.fault(Call.LIST, Fault.REJECTED);
        try (var rig = restore(state)) {
            assertThat(server.jobs).hasSize(2);
        }
    }

    @Test
    void theListIsNotReadPastWhatIsTooOld() throws Exception {
        try (var rig = open()) {
            rig.timers.advance(Duration.ofDays(3).toMillis());
            server.fault(Call.CREATE, Fault.FAILS);
            for (int old = 0; old < 6; old++) {
                server.jobs.put("old-" + old, new FakeServer.Job("old-" + old, "", "", Map.of()));
            }
            rig.rows(1, 2).checkpoint(1);
            rig.advance(LONG);
            assertThat(server.count(Call.LIST)).isEqualTo(1);
            assertThat(server.count(Call.CREATE)).isEqualTo(2);
        }
    }

    @Test
    void anUploadedFileIsNotUploadedAgain() throws Exception {
        server.fault(Call.CREATE, Fault.FAILS);
        OperatorSubtaskState state;
        try (var rig = open()) {
            rig.rows(1, 2).checkpoint(1);
            state = rig.checkpoint(2);
        }
        try (var rig = restore(state)) {
            assertThat(server.jobs).hasSize(1);
            assertThat(server.count(Call.UPLOAD)).isEqualTo(1);
        }
    }

    /** Of rows that no checkpoint held, which the source sends again. */
    @Test
    void aBatchThatFormsAgainTheSameWayIsFound() throws Exception {
        BatchInferenceOptions.Builder atOnce =
                options().set(BatchInferenceOptions.SUBMIT_AFTER_CHECKPOINT, false);
        OperatorSubtaskState state;
        try (var rig = BatchInferenceRig.open(atOnce, server)) {
            state = rig.checkpoint(1);
            rig.rows(1, 2);
            assertThat(server.jobs).hasSize(1);
        }
        server.complete(0);
        try (var rig = BatchInferenceRig.restore(atOnce, server, state)) {
            rig.rows(1, 2);
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20");
            assertThat(server.jobs).hasSize(1);
        }
    }

    @Test
    void equalBatchesAreJobsOfTheirOwn() throws Exception {
        try (var rig = BatchInferenceRig.openWithoutCheckpoints(options(), server)) {
            rig.rows(1, 1, 1, 1);
            assertThat(server.jobs).hasSize(2);
            rig.finish(server);
            assertThat(rig.output()).hasSize(4);
        }
    }

    @Test
    void rowsInNoBatchAreRestoredWithATimer() throws Exception {
        OperatorSubtaskState state;
        try (var rig = open()) {
            state = rig.rows(1).checkpoint(1);
        }
        try (var rig = restore(state)) {
            rig.advance(Duration.ofMinutes(1)).checkpoint(2);
            assertThat(server.job(0).values()).containsExactly(1);
        }
    }

    @Test
    void resultsThatHaveNotLeftAreNotFetchedAgain() throws Exception {
        int rows = 2 * BatchInferenceOperator.EMITTED_PER_MAIL;
        BatchInferenceOptions.Builder large = options().set(BatchInferenceOptions.SIZE, rows);
        OperatorSubtaskState state;
        List<String> output = new ArrayList<>();
        try (var rig = BatchInferenceRig.open(large, server)) {
            rig.rows(IntStream.range(0, rows).boxed().toArray(Integer[]::new)).checkpoint(1);
            server.complete(0);
            rig.timers.advance(POLL.toMillis());
            while (rig.output().isEmpty()) {
                assertThat(rig.runMail()).isTrue();
            }
            state = rig.snapshot(2);
            output.addAll(rig.output());
        }
        assertThat(output).hasSize(BatchInferenceOperator.EMITTED_PER_MAIL);
        try (var rig = BatchInferenceRig.restore(large, server, state)) {
            output.addAll(rig.output());
            assertThat(output).hasSize(rows).doesNotHaveDuplicates();
            assertThat(server.count(Call.FETCH)).isEqualTo(1);
        }
    }

    @Test
    void watermarksKeepTheirPlaces() throws Exception {
        OperatorSubtaskState state;
        try (var rig = open()) {
            rig.row(1, 1).watermark(2).row(3, 3).watermark(4);
            state = rig.row(5, 5).checkpoint(1);
            assertThat(rig.output()).isEmpty();
        }
        server.complete(0);
        try (var rig = restore(state)) {
            assertThat(rig.output()).containsExactly("10@1", "W:2", "30@3", "W:4");
            rig.finish(server);
            assertThat(rig.output()).endsWith("50@5");
        }
    }

    @Test
    void attemptsAreCountedAcrossRestarts() throws Exception {
        BatchInferenceOptions.Builder once =
                options()
                        .set(BatchInferenceOptions.MAX_RESUBMISSIONS, 1)
                        .set(BatchInferenceOptions.ON_FAILURE, OnFailure.SIDE_OUTPUT);
        OperatorSubtaskState state;
        try (var rig = BatchInferenceRig.open(once, server)) {
            rig.rows(1, 2).checkpoint(1);
            server.job(0).state = JobState.EXPIRED;
            rig.advance(POLL);
            state = rig.checkpoint(2);
            assertThat(server.jobs).as("its time has not come").hasSize(1);
        }
        try (var rig = BatchInferenceRig.restore(once, server, state)) {
            assertThat(server.jobs).hasSize(2);
            server.job(1).state = JobState.EXPIRED;
            rig.advance(POLL);
            assertThat(rig.failures()).containsExactly("1 batch_expired 2", "2 batch_expired 2");
        }
    }

    @Test
    void failuresThatHaveNotLeftAreRestored() throws Exception {
        BatchInferenceOptions.Builder aside =
                options()
                        .set(BatchInferenceOptions.MAX_RESUBMISSIONS, 0)
                        .set(BatchInferenceOptions.ON_FAILURE, OnFailure.SIDE_OUTPUT);
        OperatorSubtaskState state;
        try (var rig = BatchInferenceRig.open(aside, server)) {
            rig.row(1, 1).watermark(1).row(2, 2).row(3, 3).row(4, 4).checkpoint(1);
            server.job(1).state = JobState.EXPIRED;
            rig.advance(POLL);
            assertThat(rig.failures()).isEmpty();
            state = rig.snapshot(2);
        }
        server.complete(0);
        try (var rig = BatchInferenceRig.restore(aside, server, state)) {
            assertThat(rig.failures()).containsExactly("3 batch_expired 1", "4 batch_expired 1");
        }
    }

    @Test
    void theTimeAJobMayRunGoesOn() throws Exception {
        BatchInferenceOptions.Builder short_ =
                options().set(BatchInferenceOptions.MAX_WAIT, Duration.ofMinutes(1));
        OperatorSubtaskState state;
        try (var rig = BatchInferenceRig.open(short_, server)) {
            rig.rows(1, 2).checkpoint(1);
            rig.advance(POLL).advance(POLL).advance(POLL).advance(POLL);
            state = rig.snapshot(2);
        }
        try (var rig = BatchInferenceRig.restore(short_, server, state)) {
            rig.advance(POLL).advance(POLL);
            assertThat(server.count(Call.CANCEL)).isEqualTo(1);
        }
    }

    @Test
    void rescalingHandsJobsAndRowsToOthers() throws Exception {
        OperatorSubtaskState state;
        try (var rig = open()) {
            rig.row(1, 1).row(2, 2).watermark(2).row(3, 3).row(4, 4).checkpoint(1);
            state = rig.row(5, 5).watermark(9).snapshot(2);
        }
        server.running().forEach(server::complete);
        List<String> output = new ArrayList<>();
        for (int subtask = 0; subtask < 2; subtask++) {
            OperatorSubtaskState part =
                    AbstractStreamOperatorTestHarness.repartitionOperatorState(
                            state, 128, 1, 2, subtask);
            try (var rig = BatchInferenceRig.create(options(), server, subtask, 2)) {
                rig.harness.initializeState(part);
                rig.opened().finish(server);
                output.addAll(rig.output());
            }
        }
        assertThat(output).containsExactlyInAnyOrder("10@1", "20@2", "30@3", "40@4", "50@5");
        assertThat(server.jobs).hasSize(3);
    }
}
