package io.asyncbatch.flink.batchapi.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.batchapi.BatchInferenceCollector;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions;
import io.asyncbatch.flink.batchapi.BatchInferenceOptions.OnFailure;
import io.asyncbatch.flink.batchapi.CollectedResult;
import io.asyncbatch.flink.batchapi.FailedRow;
import io.asyncbatch.flink.batchapi.RequestId;
import io.asyncbatch.flink.batchapi.SubmittedBatch;
import io.asyncbatch.flink.batchapi.SubmittedRow;
import io.asyncbatch.flink.batchapi.client.JobState;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Call;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Fault;
import io.asyncbatch.flink.batchapi.operator.FakeServer.Job;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.util.function.FunctionWithException;

/**
 * Random lives of a submitter, and of a collector that takes what the first has committed. Both
 * crash wherever they may. What leaves after a checkpoint counts once that is complete, and the
 * input goes back to the last complete one.
 */
class DecoupledCrashProperties {

    private static final int ACTIONS = 80;

    @Property(tries = 40, shrinking = ShrinkingMode.OFF)
    void eachRequestHasOneOutcomeAndIsPaidOnce(@ForAll long seed) throws Exception {
        Random random = new Random(seed);
        FakeServer server = new FakeServer();
        Path base = Files.createTempDirectory("crashes");
        List<Integer> rows = IntStream.rangeClosed(1, 1 + random.nextInt(40)).boxed().toList();
        Committed submitted = submit(rows, random, server, base);
        int jobs = server.jobs.size();
        Committed collected = collect(submitted.of(SubmittedBatch.class), random, server, base);

        assertThat(submitted.of(SubmittedBatch.class))
                .extracting(batch -> batch.batchId)
                .containsExactlyInAnyOrderElementsOf(server.jobs.keySet());
        Map<String, Integer> known = new HashMap<>();
        for (SubmittedRow<?> row : submitted.of(SubmittedRow.class)) {
            assertThat(known.put(row.customId, (Integer) row.row)).isNull();
        }
        assertThat(known.values()).containsExactlyInAnyOrderElementsOf(rows);

        assertThat(server.jobs).as("a collector creates nothing").hasSize(jobs);
        Set<String> outcomes = new HashSet<>();
        for (CollectedResult<?> result : collected.of(CollectedResult.class)) {
            assertThat(outcomes.add(result.request.customId)).isTrue();
            assertThat(result.result).isEqualTo(10 * known.get(result.request.customId));
        }
        for (FailedRow<?> failed : collected.of(FailedRow.class)) {
            assertThat(outcomes.add(((RequestId) failed.row).customId)).isTrue();
        }
        assertThat(outcomes).isEqualTo(known.keySet());

        Files.delete(base.resolve("batches"));
        Files.delete(base);
    }

    private static Committed submit(List<Integer> rows, Random random, FakeServer server, Path base)
            throws Exception {
        BatchInferenceOptions.Builder options =
                BatchInferenceRig.options(base)
                        .set(BatchInferenceOptions.SIZE, 1 + random.nextInt(4))
                        .set(BatchInferenceOptions.MAX_RETRIES, 1_000);
        return new Life<>(
                        rows,
                        random,
                        server,
                        base,
                        state -> {
                            var rig = BatchInferenceRig.submitter(options, server);
                            return (state == null ? rig : rig.initialized(state)).opened();
                        },
                        List.of(
                                BatchInferenceRig::results,
                                rig -> rig.sideOutput(BatchInferenceRig.SUBMITTED_ROWS)))
                .lived();
    }

    private static Committed collect(
            List<SubmittedBatch> batches, Random random, FakeServer server, Path base)
            throws Exception {
        BatchInferenceOptions.Builder options =
                BatchInferenceOptions.builder("http://localhost:1")
                        .set(BatchInferenceOptions.MAX_JOBS, 1 + random.nextInt(4))
                        .set(BatchInferenceOptions.MAX_RETRIES, 1_000)
                        .set(BatchInferenceOptions.MAX_WAIT, Duration.ofDays(1))
                        .set(BatchInferenceOptions.ON_FAILURE, OnFailure.SIDE_OUTPUT)
                        .set(BatchInferenceOptions.LOCAL_DIR, base.resolve("batches").toString());
        return new Life<>(
                        batches,
                        random,
                        server,
                        base,
                        state -> {
                            var rig = BatchInferenceRig.collector(options, server);
                            return (state == null ? rig : rig.initialized(state)).opened();
                        },
                        List.of(
                                BatchInferenceRig::results,
                                rig -> rig.sideOutput(BatchInferenceCollector.failedRequests())))
                .lived();
    }

    /** What left before complete checkpoints. */
    private static final class Committed {
        private final List<Object> elements = new ArrayList<>();

        <T> List<T> of(Class<T> type) {
            return elements.stream().filter(type::isInstance).map(type::cast).toList();
        }
    }

    /** The world around an operator. */
    private static final class Life<E, OUT> {

        private final List<E> inputs;
        private final Random random;
        private final FakeServer server;
        private final Path base;
        private final FunctionWithException<
                        OperatorSubtaskState, BatchInferenceRig<E, OUT>, Exception>
                opening;
        private final List<Function<BatchInferenceRig<E, OUT>, List<?>>> outputs;
        private final Committed committed = new Committed();

        private BatchInferenceRig<E, OUT> rig;
        private int taken;
        private long checkpoint;
        private Point restorePoint;
        private Point unfinished;

        /** How far everything was at a snapshot. */
        private record Point(OperatorSubtaskState state, int taken, List<Integer> left) {}

        Life(
                List<E> inputs,
                Random random,
                FakeServer server,
                Path base,
                FunctionWithException<OperatorSubtaskState, BatchInferenceRig<E, OUT>, Exception>
                        opening,
                List<Function<BatchInferenceRig<E, OUT>, List<?>>> outputs) {
            this.inputs = inputs;
            this.random = random;
            this.server = server;
            this.base = base;
            this.opening = opening;
            this.outputs = outputs;
        }

        Committed lived() throws Exception {
            rig = opening.apply(null);
            restorePoint = point();
            for (int action = 0; action < ACTIONS; action++) {
                act();
            }
            // A call that nobody ever answers is the client's to end, by its deadline.
            server.faults.clear();
            if (!server.pending.isEmpty()) {
                crash();
            }
            // No crash any more, and what is full lets one in at a time.
            while (taken < inputs.size()) {
                rig.letIn(() -> rig.rows(inputs.get(taken++)));
            }
            rig.finishWhile(() -> server.running().forEach(this::progress));
            commit(point());
            rig.close();
            assertNoFileIsLeft();
            return committed;
        }

        private void act() throws Exception {
            switch (random.nextInt(11)) {
                case 0, 1, 2 -> {
                    if (taken < inputs.size()) {
                        rig.letIn(() -> rig.rows(inputs.get(taken++)));
                    }
                }
                case 3 -> rig.timers.advance(1 + random.nextInt(30_000));
                case 4 -> rig.runMail();
                case 5 -> rig.runMails();
                case 6 -> unfinished = point();
                case 7 -> completeCheckpoint();
                case 8 -> {
                    List<Job> running = server.running();
                    if (!running.isEmpty()) {
                        progress(running.get(random.nextInt(running.size())));
                    }
                }
                case 9 ->
                        server.fault(
                                Call.values()[random.nextInt(Call.values().length)],
                                Fault.values()[random.nextInt(Fault.REJECTED.ordinal())]);
                default -> crash();
            }
        }

        private void progress(Job job) {
            String lines = FakeServer.lines(job, random.nextInt(job.rows.size() + 1));
            switch (random.nextInt(4)) {
                case 0 -> server.end(job, JobState.EXPIRED, lines);
                case 1 -> server.end(job, JobState.COMPLETED, "\uFEFF\n" + lines + lines);
                default -> server.complete(job);
            }
        }

        private Point point() throws Exception {
            OperatorSubtaskState state = rig.snapshot(++checkpoint);
            return new Point(
                    state,
                    taken,
                    outputs.stream().map(output -> output.apply(rig).size()).toList());
        }

        private void completeCheckpoint() throws Exception {
            if (unfinished == null) {
                return;
            }
            commit(unfinished);
            // The message may be lost to a crash, the checkpoint counts nevertheless.
            if (random.nextInt(4) > 0) {
                rig.harness.notifyOfCompletedCheckpoint(checkpoint);
            }
            unfinished = null;
        }

        private void commit(Point point) {
            for (int output = 0; output < outputs.size(); output++) {
                committed.elements.addAll(
                        outputs.get(output)
                                .apply(rig)
                                .subList(restorePoint.left.get(output), point.left.get(output)));
            }
            restorePoint = point;
        }

        private void crash() throws Exception {
            rig.close();
            assertNoFileIsLeft();
            server.pending.clear();
            unfinished = null;
            taken = restorePoint.taken;
            rig = opening.apply(restorePoint.state);
            restorePoint = new Point(restorePoint.state, taken, List.of(0, 0));
        }

        private void assertNoFileIsLeft() throws IOException {
            try (Stream<Path> left = Files.list(base.resolve("batches"))) {
                assertThat(left).isEmpty();
            }
        }
    }
}
