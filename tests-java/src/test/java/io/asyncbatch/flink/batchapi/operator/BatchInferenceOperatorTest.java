package io.asyncbatch.flink.batchapi.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.OnFailure;
import io.asyncbatch.flink.batchapi.client.ApiLimits;
import io.asyncbatch.flink.batchapi.client.JobState;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Call;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Fault;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Job;
import io.asyncbatch.flink.metrics.DocumentedMetrics;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Batches, jobs, results and failures, on a manual clock. */
@Timeout(60)
class BatchInferenceOperatorTest {

    private static final Duration POLL = Duration.ofSeconds(13);

    /** Longer than any back-off. */
    private static final Duration LONG = Duration.ofMinutes(3);

    @TempDir Path base;

    private final FakeServer server = new FakeServer();

    private BatchInferenceOptions.Builder options() {
        return BatchInferenceRig.options(base);
    }

    /** No checkpoints, so that batches go at once. */
    private BatchInferenceRig<Integer, Integer> open() throws Exception {
        return open(options());
    }

    private BatchInferenceRig<Integer, Integer> open(BatchInferenceOptions.Builder options)
            throws Exception {
        return BatchInferenceRig.openWithoutCheckpoints(options, server);
    }

    private BatchInferenceOptions.Builder aside() {
        return options().set(BatchInferenceOptions.ON_FAILURE, OnFailure.SIDE_OUTPUT);
    }

    private long files() throws IOException {
        try (Stream<Path> found = Files.walk(base)) {
            return found.filter(Files::isRegularFile)
                    .filter(file -> !file.getFileName().toString().equals("lock"))
                    .count();
        }
    }

    // --------------------------------------------------------------- batches

    @Test
    void aFullBatchBecomesAJob() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2, 3);
            assertThat(server.jobs).hasSize(1);
            assertThat(server.job(0).values()).containsExactly(1, 2);
            assertThat(server.job(0).batchNumber).isEqualTo("batch-0-0");
        }
    }

    @Test
    void aPartialBatchGoesWhenItsTimeHasCome() throws Exception {
        try (var rig = open()) {
            rig.rows(1).advance(Duration.ofMinutes(1));
            assertThat(server.job(0).values()).containsExactly(1);
        }
    }

    @Test
    void aStaleTimerClosesNoLaterBatch() throws Exception {
        try (var rig = open()) {
            rig.rows(1);
            // The timer's mail waits already when the batch closes by its size.
            rig.timers.advance(60_000);
            rig.harness.processElement(2, 0);
            rig.harness.processElement(3, 0);
            rig.runMails();
            assertThat(server.jobs).hasSize(1);
        }
    }

    @Test
    void aBatchIsSplitWhereAFileIsFull() throws Exception {
        int line = FakeServer.line("0".repeat(38), "1").length();
        server.limits = new ApiLimits(3, 2L * line);
        try (var rig = open(options().set(BatchInferenceOptions.SIZE, 100))) {
            rig.rows(1, 2, 3, 4, 5);
            assertThat(server.jobs.values())
                    .extracting(Job::values)
                    .containsExactly(List.of(1, 2), List.of(3, 4));
        }
        server.jobs.clear();
        server.limits = new ApiLimits(3, 1_000_000);
        try (var rig = open(options().set(BatchInferenceOptions.SIZE, 100))) {
            rig.rows(1, 2, 3, 4);
            assertThat(server.job(0).values()).containsExactly(1, 2, 3);
        }
    }

    @Test
    void aRowThatFitsNoFileOrHasNoRequestIsAFailure() throws Exception {
        server.limits = new ApiLimits(10, 100);
        try (var rig = open(aside())) {
            rig.rows(-1, 1).finish(server);
            assertThat(rig.output()).containsExactly("10");
            assertThat(rig.failures()).containsExactly("-1 request_refused 0");
        }
        server.limits = new ApiLimits(10, 20);
        try (var rig = open(aside())) {
            rig.rows(1);
            assertThat(rig.failures()).containsExactly("1 request_too_large 0");
        }
        try (var rig = open()) {
            assertThatThrownBy(() -> rig.rows(-1)).hasMessageContaining("request_refused");
        }
    }

    @Test
    void resultsLeaveWithTheirTimestamps() throws Exception {
        try (var rig = open()) {
            rig.row(1, 17).rows(2);
            server.complete(0);
            rig.advance(POLL);
            assertThat(rig.output()).containsExactlyInAnyOrder("10@17", "20");
        }
    }

    @Test
    void asManyJobsAsAllowedRunAtATimeAndInputIsHeldBack() throws Exception {
        try (var rig = open(options().set(BatchInferenceOptions.MAX_JOBS, 2))) {
            rig.rows(1, 2, 3, 4);
            assertThat(server.jobs).hasSize(2);
            rig.harness.processElement(5, 0);
            rig.letIn(() -> rig.harness.processElement(6, 0));
            assertThat(server.jobs).hasSize(2);
            server.complete(1);
            rig.advance(POLL);
            assertThat(server.jobs).hasSize(3);
            assertThat(rig.counter("inputHeldTimeMs")).isPositive();
        }
    }

    // ------------------------------------------------------------ watermarks

    @Test
    void noRowOvertakesAWatermarkOrIsOvertaken() throws Exception {
        try (var rig = open()) {
            rig.row(1, 1).watermark(5).row(2, 6).row(3, 7).row(4, 8).watermark(9);
            server.complete(1);
            rig.advance(POLL);
            assertThat(rig.output()).isEmpty();
            server.complete(0);
            rig.advance(POLL);
            assertThat(rig.output().subList(0, 2)).containsExactly("10@1", "W:5");
            assertThat(rig.output().subList(2, 5))
                    .containsExactlyInAnyOrder("20@6", "30@7", "40@8");
            assertThat(rig.output().get(5)).isEqualTo("W:9");
        }
    }

    @Test
    void watermarksPassWhenNothingIsHeldBack() throws Exception {
        try (var rig = open()) {
            rig.watermark(1).row(1, 2).watermark(3).watermark(4);
            assertThat(rig.output()).containsExactly("W:1");
            rig.finish(server);
            assertThat(rig.output()).containsExactly("W:1", "10@2", "W:4");
        }
    }

    @Test
    void idlenessDoesNotOvertakeRows() throws Exception {
        try (var rig = open()) {
            rig.rows(1);
            rig.harness.processWatermarkStatus(WatermarkStatus.IDLE);
            assertThat(rig.output()).isEmpty();
            rig.finish(server);
            assertThat(rig.output()).hasSize(2).first().isEqualTo("10");
        }
    }

    @Test
    void manyResultsLeaveInSeveralMails() throws Exception {
        int rows = 3 * BatchInferenceOperator.EMITTED_PER_MAIL;
        try (var rig = open(options().set(BatchInferenceOptions.SIZE, rows))) {
            rig.rows(IntStream.range(0, rows).boxed().toArray(Integer[]::new));
            server.complete(0);
            rig.timers.advance(POLL.toMillis());
            while (rig.output().isEmpty()) {
                assertThat(rig.runMail()).isTrue();
            }
            assertThat(rig.output()).hasSize(BatchInferenceOperator.EMITTED_PER_MAIL);
            rig.runMails();
            assertThat(rig.output()).hasSize(rows);
        }
    }

    // ------------------------------------------------------ failures of rows

    @ParameterizedTest
    @EnumSource(
            value = JobState.class,
            names = {"COMPLETED", "EXPIRED", "CANCELLED", "FAILED"})
    void whatCameIsKeptAndTheRestIsSubmittedAgain(JobState state) throws Exception {
        try (var rig = open(options().set(BatchInferenceOptions.SIZE, 3))) {
            rig.rows(1, 2, 3);
            server.end(server.job(0), state, FakeServer.lines(server.job(0), 1));
            rig.advance(POLL).advance(LONG).advance(LONG).advance(LONG).advance(LONG);
            assertThat(rig.output()).containsExactly("10");
            assertThat(server.jobs).hasSize(2);
            assertThat(server.job(1).values()).containsExactly(2, 3);
            assertThat(server.job(1).batchNumber).isEqualTo("batch-0-0-r1");
            assertThat(rig.counter("batch.rows.resubmitted")).isEqualTo(2);
            server.complete(1);
            rig.advance(POLL);
            assertThat(rig.output()).containsExactly("10", "20", "30");
        }
    }

    @Test
    void aRowThatFailsTooOftenIsPutAside() throws Exception {
        try (var rig = open(aside().set(BatchInferenceOptions.MAX_RESUBMISSIONS, 1))) {
            rig.rows(1, 2);
            failFirst(server.job(0));
            rig.advance(POLL).advance(LONG);
            failFirst(server.job(1));
            rig.advance(POLL);
            assertThat(rig.output()).containsExactly("20");
            assertThat(rig.failures()).containsExactly("1 rate_limited 2");
            assertThat(rig.counter("batch.rows.failed")).isEqualTo(1);
        }
    }

    @Test
    void aRowThatFailsTooOftenFailsTheTask() throws Exception {
        try (var rig = open(options().set(BatchInferenceOptions.MAX_RESUBMISSIONS, 0))) {
            rig.rows(1, 2);
            failFirst(server.job(0));
            assertThatThrownBy(() -> rig.advance(POLL))
                    .hasMessageContaining("after 1 submission: rate_limited");
        }
    }

    private void failFirst(Job job) {
        String first = job.rows.keySet().iterator().next();
        String rest = FakeServer.lines(job, 2).replaceFirst(".*\n", "");
        server.end(job, JobState.COMPLETED, FakeServer.error(first, "rate_limited") + rest);
    }

    @Test
    void aWatermarkWaitsForRowsThatAreSubmittedAgainOrPutAside() throws Exception {
        try (var rig = open(aside().set(BatchInferenceOptions.MAX_RESUBMISSIONS, 1))) {
            rig.row(1, 1).row(2, 2).watermark(3);
            failFirst(server.job(0));
            rig.advance(POLL).advance(LONG);
            assertThat(rig.output()).containsExactly("20@2");
            failFirst(server.job(1));
            rig.advance(POLL);
            assertThat(rig.output()).containsExactly("20@2", "W:3");
        }
    }

    // ------------------------------------------------------- hostile answers

    @Test
    void foreignAndRepeatedIdsMeanNothing() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2);
            Job job = server.job(0);
            String first = job.rows.keySet().iterator().next();
            server.end(
                    job,
                    JobState.COMPLETED,
                    FakeServer.line("stranger", "7")
                            + FakeServer.error(first, "transient")
                            + FakeServer.lines(job, 2)
                            + FakeServer.line(first, "777")
                            + FakeServer.error(first, "late"));
            rig.advance(POLL);
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20");
        }
    }

    @Test
    void marksAndBlankLinesMeanNothing() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2);
            server.end(
                    server.job(0),
                    JobState.COMPLETED,
                    "\uFEFF\r\n" + FakeServer.lines(server.job(0), 2).replace("\n", "\r\n\r\n"));
            rig.advance(POLL);
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20");
            assertThat(server.count(Call.FETCH)).isEqualTo(1);
        }
    }

    @Test
    void aTornFileIsFetchedAgain() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2);
            Job job = server.job(0);
            String lines = FakeServer.lines(job, 2);
            server.end(job, JobState.COMPLETED, lines.substring(0, lines.length() - 5));
            rig.advance(POLL);
            assertThat(rig.output()).isEmpty();
            job.resultFiles.clear();
            server.end(job, JobState.COMPLETED, lines);
            rig.advance(LONG);
            assertThat(rig.output()).containsExactlyInAnyOrder("10", "20");
            assertThat(server.jobs).hasSize(1);
        }
    }

    @Test
    void whatStaysTornIsSubmittedAgain() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2);
            Job job = server.job(0);
            String lines = FakeServer.lines(job, 2);
            server.end(job, JobState.COMPLETED, lines.substring(0, lines.length() - 5));
            rig.advance(POLL).advance(LONG).advance(LONG).advance(LONG);
            assertThat(server.count(Call.FETCH)).isEqualTo(3);
            assertThat(rig.output()).containsExactly("10");
            assertThat(server.job(1).values()).containsExactly(2);
        }
    }

    @Test
    void aResultThatTheCodecRefusesIsAFailure() throws Exception {
        try (var rig = open(aside().set(BatchInferenceOptions.MAX_RESUBMISSIONS, 0))) {
            rig.rows(1, 2);
            Job job = server.job(0);
            String first = job.rows.keySet().iterator().next();
            server.end(
                    job,
                    JobState.COMPLETED,
                    FakeServer.line(first, "\"text\"")
                            + FakeServer.lines(job, 2).replaceFirst(".*\n", ""));
            rig.advance(POLL);
            assertThat(rig.output()).containsExactly("20");
            assertThat(rig.failures()).containsExactly("1 result_refused 1");
        }
    }

    @Test
    void aCompletedJobWithoutFilesIsAskedForAgainThenSubmittedAgain() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2);
            server.job(0).state = JobState.COMPLETED;
            rig.advance(POLL).advance(LONG).advance(LONG).advance(LONG);
            assertThat(server.jobs).hasSize(2);
            assertThat(server.job(1).values()).containsExactly(1, 2);
        }
    }

    @Test
    void aWordThatIsNotKnownMeansInProgress() throws Exception {
        try (var rig = open()) {
            rig.rows(1, 2);
            server.job(0).state = JobState.UNKNOWN;
            rig.advance(POLL).advance(POLL);
            server.complete(0);
            rig.advance(POLL);
            assertThat(rig.output()).hasSize(2);
        }
    }

    @Test
    void aJobThatFailsAsAWholeSaysWhy() throws Exception {
        try (var rig = open(aside().set(BatchInferenceOptions.MAX_RESUBMISSIONS, 0))) {
            rig.rows(1, 2);
            server.job(0).state = JobState.FAILED;
            server.job(0).errorCode = "token_limit_exceeded";
            rig.advance(POLL);
            assertThat(rig.failures())
                    .containsExactly("1 token_limit_exceeded 1", "2 token_limit_exceeded 1");
            assertThat(rig.counter("batch.jobs.failed")).isEqualTo(1);
        }
    }

    // ------------------------------------------------------ failures of calls

    @ParameterizedTest
    @EnumSource(
            value = Call.class,
            names = {"UPLOAD", "CREATE", "STATUS", "FETCH"})
    void aCallThatFailsInPassingIsRepeated(Call call) throws Exception {
        server.fault(call, Fault.FAILS, Fault.FAILS);
        try (var rig = open()) {
            rig.rows(1, 2).advance(LONG).advance(LONG);
            server.complete(0);
            for (int time = 0; time < 5; time++) {
                rig.advance(LONG);
            }
            assertThat(rig.output()).hasSize(2);
            assertThat(server.jobs).hasSize(1);
            assertThat(rig.counter("batch.retries")).isEqualTo(2);
            assertThat(files()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(
            value = Call.class,
            names = {"UPLOAD", "CREATE", "STATUS", "FETCH"})
    void aCallThatGoesOnFailingFailsTheTask(Call call) throws Exception {
        server.fault(call, Fault.FAILS, Fault.FAILS, Fault.FAILS);
        try (var rig = open(options().set(BatchInferenceOptions.MAX_RETRIES, 2))) {
            assertThatThrownBy(
                            () -> {
                                rig.rows(1, 2).advance(LONG).advance(LONG);
                                server.complete(0);
                                for (int time = 0; time < 5; time++) {
                                    rig.advance(LONG);
                                }
                            })
                    .hasMessageContaining("batch-0-0")
                    .hasMessageContaining("after 2 repetitions: HTTP 503");
        }
        assertThat(files()).isZero();
    }

    @Test
    void aRefusalThatNothingHelpsAgainstFailsTheTaskAtOnce() throws Exception {
        server.fault(Call.UPLOAD, Fault.FATAL);
        try (var rig = open()) {
            assertThatThrownBy(() -> rig.rows(1, 2)).hasMessageContaining("HTTP 401");
        }
    }

    @Test
    void aJobWhoseAnswerWasLostIsFoundNotCreatedAgain() throws Exception {
        server.fault(Call.CREATE, Fault.ANSWER_LOST);
        try (var rig = open()) {
            rig.rows(1, 2).advance(LONG);
            assertThat(server.count(Call.LIST)).isEqualTo(1);
            assertThat(server.jobs).hasSize(1);
            server.complete(0);
            rig.advance(POLL);
            assertThat(rig.output()).hasSize(2);
            assertThat(rig.counter("batch.jobs.adopted")).isEqualTo(1);
        }
    }

    @Test
    void aFileOrJobThatIsRefusedCountsAsFailedRows() throws Exception {
        server.fault(Call.UPLOAD, Fault.REJECTED);
        server.fault(Call.CREATE, Fault.REJECTED);
        try (var rig = open(aside().set(BatchInferenceOptions.MAX_RESUBMISSIONS, 0))) {
            rig.rows(1, 2, 3, 4);
            assertThat(rig.failures())
                    .containsExactly(
                            "1 file_rejected 1",
                            "2 file_rejected 1",
                            "3 job_rejected 1",
                            "4 job_rejected 1");
            assertThat(files()).isZero();
        }
    }

    @Test
    void aJobThatTheApiLostIsSubmittedAgain() throws Exception {
        server.fault(Call.STATUS, Fault.REJECTED, Fault.REJECTED);
        try (var rig = open(options().set(BatchInferenceOptions.MAX_RETRIES, 1))) {
            rig.rows(1, 2).advance(POLL).advance(LONG).advance(LONG);
            assertThat(server.jobs).hasSize(2);
        }
    }

    @Test
    void theServersWishToBeLeftAloneIsHeeded() throws Exception {
        server.retryAfterMillis = 300_000;
        try (var rig = open()) {
            rig.rows(1, 2).advance(Duration.ofMinutes(4));
            assertThat(server.count(Call.STATUS)).isZero();
            rig.advance(Duration.ofMinutes(1));
            assertThat(server.count(Call.STATUS)).isEqualTo(1);
        }
    }

    // -------------------------------------------------------------- too long

    @Test
    void aJobThatRunsTooLongIsCancelledAndWhatItHasIsKept() throws Exception {
        try (var rig = open(options().set(BatchInferenceOptions.MAX_WAIT, Duration.ofMinutes(1)))) {
            rig.rows(1, 2);
            for (int poll = 0; poll < 8; poll++) {
                rig.advance(POLL);
            }
            assertThat(server.job(0).state).isEqualTo(JobState.CANCELLED);
            assertThat(rig.output()).containsExactly("10");
            rig.advance(LONG);
            assertThat(server.job(1).values()).containsExactly(2);
        }
    }

    @Test
    void aJobThatCannotBeCancelledIsGivenUp() throws Exception {
        server.fault(Call.CANCEL, Fault.FAILS, Fault.FAILS, Fault.FAILS, Fault.FAILS, Fault.FAILS);
        try (var rig =
                open(
                        aside().set(BatchInferenceOptions.MAX_WAIT, Duration.ofSeconds(20))
                                .set(BatchInferenceOptions.MAX_RESUBMISSIONS, 0))) {
            rig.rows(1, 2);
            for (int poll = 0; poll < 8; poll++) {
                rig.advance(POLL);
            }
            assertThat(rig.failures()).containsExactly("1 max_wait 1", "2 max_wait 1");
        }
    }

    // ------------------------------------------------------ end, files, metrics

    @Test
    void theEndOfInputWaitsForAllJobs() throws Exception {
        try (var rig = BatchInferenceRig.open(options(), server)) {
            rig.rows(1, 2, 3).watermark(7);
            rig.finish(server);
            assertThat(rig.output()).hasSize(4).endsWith("W:7");
            assertThat(server.jobs).hasSize(2);
        }
    }

    @Test
    void noFileIsLeftWhereverATaskEnds() throws Exception {
        for (Call call : List.of(Call.UPLOAD, Call.CREATE, Call.FETCH)) {
            server.fault(call, Fault.ANSWER_PENDING);
            try (var rig = open()) {
                rig.rows(1, 2);
                if (!server.running().isEmpty()) {
                    server.complete(server.running().get(0));
                }
                rig.advance(POLL);
            }
            try (Stream<Path> left = Files.list(base.resolve("batches"))) {
                assertThat(left).as("after " + call).isEmpty();
            }
        }
        assertThat(server.pending).hasSize(3);
    }

    @Test
    void registersWhatIsDocumented() throws Exception {
        try (var rig = open()) {
            Set<String> documented = DocumentedMetrics.under("Batch APIs", rig.metrics);
            assertThat(rig.metrics.keySet())
                    .filteredOn(name -> name.startsWith("batch.") || name.equals("inputHeldTimeMs"))
                    .containsExactlyInAnyOrderElementsOf(documented);
            rig.rows(1, 2);
            server.complete(0);
            rig.advance(POLL);
            assertThat(rig.counter("batch.jobs.submitted")).isEqualTo(1);
            assertThat(rig.counter("batch.jobs.completed")).isEqualTo(1);
            assertThat(rig.counter("batch.polls")).isEqualTo(1);
        }
    }
}
