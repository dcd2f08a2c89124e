package io.asyncbatch.flink.batchapi.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.client.JobState;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Call;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Fault;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Job;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;

/**
 * Random lives of an operator that crashes wherever it may: a file written, a file uploaded, a job
 * created, between polls, half-way through the emission. What leaves after a checkpoint counts once
 * that is complete, as with an exactly-once sink, and the source goes back to the last complete
 * one.
 */
class CrashProperties {

    private static final int ACTIONS = 120;

    @Property(tries = 60, shrinking = ShrinkingMode.OFF)
    void everyRowHasOneResultAndIsPaidOnce(@ForAll long seed) throws Exception {
        try (Life life = new Life(new Random(seed))) {
            for (int action = 0; action < ACTIONS; action++) {
                life.act();
            }
            life.end();
        }
    }

    /** The world around the operator, and what must hold in it. */
    private static final class Life implements AutoCloseable {

        private final Random random;
        private final Path base;
        private final FakeServer server = new FakeServer();
        private final BatchInferenceOptions.Builder options;

        private BatchInferenceRig<Integer, Integer> rig;
        private OperatorSubtaskState restorePoint;
        private int rowsAtRestorePoint;
        private int rows;
        private long checkpoint;

        /** Rows, watermarks and failures that left before the last complete checkpoint. */
        private final List<String> committed = new ArrayList<>();

        private OperatorSubtaskState unfinished;
        private int rowsAtUnfinished;
        private int outputAtUnfinished;
        private int outputAtRestorePoint;

        Life(Random random) throws Exception {
            this.random = random;
            this.base = Files.createTempDirectory("crashes");
            this.options =
                    BatchInferenceRig.options(base)
                            .set(BatchInferenceOptions.SIZE, 1 + random.nextInt(4))
                            .set(BatchInferenceOptions.MAX_RETRIES, 1_000)
                            .set(BatchInferenceOptions.MAX_RESUBMISSIONS, 1_000)
                            .set(BatchInferenceOptions.MAX_WAIT, Duration.ofDays(1));
            rig = BatchInferenceRig.open(options, server);
            restorePoint = rig.snapshot(++checkpoint);
            rig.harness.notifyOfCompletedCheckpoint(checkpoint);
        }

        void act() throws Exception {
            switch (random.nextInt(12)) {
                case 0, 1, 2 -> {
                    rows++;
                    rig.row(rows, rows);
                }
                case 3 -> rig.watermark(rows);
                case 4 -> rig.timers.advance(1 + random.nextInt(30_000));
                case 5 -> rig.runMail();
                case 6 -> rig.runMails();
                case 7 -> takeSnapshot();
                case 8 -> completeCheckpoint();
                case 9 -> {
                    if (!server.running().isEmpty()) {
                        progress(server.running().get(random.nextInt(server.running().size())));
                    }
                }
                case 10 ->
                        server.fault(
                                Call.values()[random.nextInt(Call.values().length)],
                                random.nextBoolean()
                                        ? Fault.ANSWER_LOST
                                        : random.nextBoolean()
                                                ? Fault.FAILS
                                                : Fault.ANSWER_PENDING);
                default -> crash();
            }
        }

        private void progress(Job job) {
            int answered = random.nextInt(job.rows.size() + 1);
            String lines = FakeServer.lines(job, answered);
            switch (random.nextInt(5)) {
                case 0 -> server.end(job, JobState.EXPIRED, lines);
                case 1 -> server.end(job, JobState.COMPLETED, "\uFEFF\n" + lines + lines);
                case 2 -> server.end(job, JobState.COMPLETED, "{\"id\":\"" + lines);
                default -> server.complete(job);
            }
        }

        private void takeSnapshot() throws Exception {
            unfinished = rig.snapshot(++checkpoint);
            rowsAtUnfinished = rows;
            outputAtUnfinished = rig.output().size();
        }

        private void completeCheckpoint() throws Exception {
            if (unfinished == null) {
                return;
            }
            restorePoint = unfinished;
            rowsAtRestorePoint = rowsAtUnfinished;
            commit(outputAtUnfinished);
            unfinished = null;
            // The message may be lost to a crash, the checkpoint counts nevertheless.
            if (random.nextInt(4) > 0) {
                rig.harness.notifyOfCompletedCheckpoint(checkpoint);
            }
        }

        private void commit(int output) {
            committed.addAll(rig.output().subList(outputAtRestorePoint, output));
            outputAtRestorePoint = output;
        }

        private void crash() throws Exception {
            rig.close();
            assertNoFileIsLeft();
            server.pending.clear();
            unfinished = null;
            outputAtRestorePoint = 0;
            rows = rowsAtRestorePoint;
            rig = BatchInferenceRig.restore(options, server, restorePoint);
        }

        void end() throws Exception {
            // A call that nobody ever answers is the client's to end, by its deadline.
            server.faults.clear();
            if (!server.pending.isEmpty()) {
                crash();
            }
            rig.finish(server);
            commit(rig.output().size());
            List<String> results =
                    committed.stream().filter(element -> !element.startsWith("W")).toList();
            assertThat(results)
                    .containsExactlyInAnyOrderElementsOf(
                            IntStream.rangeClosed(1, rows)
                                    .mapToObj(row -> row * 10 + "@" + row)
                                    .toList());
            assertThat(rig.failures()).isEmpty();
            assertNoRowIsLate();
            assertThat(server.pending).isEmpty();
            assertEachBatchWasPaidOnce();
        }

        private void assertNoRowIsLate() {
            long watermark = Long.MIN_VALUE;
            for (String element : committed) {
                if (element.startsWith("W:")) {
                    watermark = Math.max(watermark, Long.parseLong(element.substring(2)));
                } else {
                    long timestamp = Long.parseLong(element.substring(element.indexOf('@') + 1));
                    assertThat(timestamp).as("of a row after a watermark").isGreaterThan(watermark);
                }
            }
        }

        /** Resubmissions aside, of which each has a key of its own too. */
        private void assertEachBatchWasPaidOnce() {
            Set<String> keys = new HashSet<>();
            Set<Integer> paid = new HashSet<>();
            for (Job job : server.jobs.values()) {
                assertThat(keys.add(job.key)).as("a second job for " + job.batchNumber).isTrue();
                if (!job.batchNumber.contains("-r")) {
                    for (int row : job.values()) {
                        assertThat(paid.add(row)).as("row %s paid twice", row).isTrue();
                    }
                }
            }
        }

        private void assertNoFileIsLeft() throws IOException {
            try (Stream<Path> left = Files.list(base.resolve("batches"))) {
                assertThat(left).isEmpty();
            }
        }

        @Override
        public void close() throws Exception {
            rig.close();
            assertNoFileIsLeft();
            Files.delete(base.resolve("batches"));
            Files.delete(base);
        }
    }
}
