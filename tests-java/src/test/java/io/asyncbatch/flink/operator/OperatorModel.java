package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.inflight.BatchFailedException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.util.AbstractStreamOperatorTestHarness;
import org.apache.flink.util.ExceptionUtils;

/**
 * The contract of the operator in its simplest form: what went in, what came out, and what has to
 * hold between them after every step. Rows are numbered from 1; a row's result is ten times its
 * number, or its negative if its timeout handler gave it. Used by the test's thread.
 */
final class OperatorModel implements AutoCloseable {

    private static final int MAX_PARALLELISM = 128;

    enum StepKind {
        ROW,
        WATERMARK,
        COMPLETE,
        ANSWER_TIMEOUT,
        ADVANCE_CLOCK,
        RUN_ONE_MAIL,
        RUN_ALL_MAILS,
        RETRY,
        FAIL,
        SNAPSHOT,
        CRASH,
        RESCALE
    }

    /** What happens next; the choice picks one of several candidates or an amount. */
    record Step(StepKind kind, int choice) {}

    /** A call that asked to be repeated. */
    private record Retry(long batchId, int attempt) {}

    /** Where everything stood when a snapshot was taken. */
    private record Checkpoint(
            OperatorSubtaskState state,
            List<Integer> input,
            List<String> output,
            Set<Integer> computed,
            Set<Integer> perhapsComputed) {}

    private final RowGrouping<Integer> grouping;
    private BatchSettings settings;
    private OperatorRig<Integer> rig;
    private boolean alwaysOrdered;
    private boolean ended;
    private boolean rescaled;
    private int lastId;

    /** Rows, and watermarks as negative numbers, in the order in which they went in. */
    private List<Integer> input = new ArrayList<>();

    /** What came out before the operator that runs now. */
    private List<String> earlierOutput = new ArrayList<>();

    /** Rows whose results the running operator was restored with. */
    private Set<Integer> restoredResults = new HashSet<>();

    /** Those, and rows whose results might have been too late for the snapshot. */
    private Set<Integer> perhapsRestored = new HashSet<>();

    /** When a row went into the running operator; rows it was restored with, at its start. */
    private final Map<Integer, Long> arrivals = new HashMap<>();

    private final Set<Integer> restoredRows = new HashSet<>();

    /** Calls of the running operator that asked to be repeated. */
    private final List<Retry> retries = new ArrayList<>();

    private int checkedInvocations;

    /** Batches in flight at the last check, and when they last became fewer. */
    private int slotsBefore;

    private long slotFreedAt;

    private Checkpoint checkpoint;

    /**
     * @param grouping one that makes no two rows equal
     */
    OperatorModel(BatchSettings settings, RowGrouping<Integer> grouping) throws Exception {
        this.grouping = grouping;
        this.settings = settings;
        alwaysOrdered = settings.outputMode() == OutputMode.ORDERED;
        rig = OperatorRig.create(settings, OperatorModel::weightOf, grouping).opened();
        snapshot();
    }

    void take(Step step) throws Exception {
        try {
            doStep(step);
        } catch (Exception e) {
            requirePlanted(e);
            crash(step.choice(), false);
            check();
        }
    }

    private void doStep(Step step) throws Exception {
        switch (step.kind()) {
            case ROW -> row(step.choice());
            case WATERMARK -> watermark();
            case COMPLETE -> complete(rig.invoker.invocations, step.choice(), false);
            case ANSWER_TIMEOUT -> complete(rig.invoker.timeouts, step.choice(), true);
            case ADVANCE_CLOCK -> rig.timers.advance(1 + step.choice() % 15);
            case RUN_ONE_MAIL -> rig.runMail();
            case RUN_ALL_MAILS -> {
                rig.runMails();
                check();
                checkNothingIsStuck();
            }
            case RETRY -> retry(step.choice());
            case FAIL -> fail(step.choice());
            case SNAPSHOT -> snapshot();
            case CRASH, RESCALE -> {
                if (step.choice() % 2 == 0) {
                    snapshot();
                }
                crash(step.choice(), step.kind() == StepKind.RESCALE);
            }
        }
        check();
    }

    /** A failed batch fails its task, which goes on from the last snapshot. */
    private static void requirePlanted(Exception e) throws Exception {
        if (ExceptionUtils.findThrowable(e, BatchFailedException.class).isEmpty()) {
            throw e;
        }
    }

    /** Ends the input, has everything answered and checks what came out in all. */
    void finish() throws Exception {
        try {
            rig.runMails();
        } catch (Exception e) {
            requirePlanted(e);
            crash(7, false);
        }
        ended = true;
        rig.whileYielding(rig.harness::endInput, () -> answerSomething(7));
        check();
        assertThat(rows(output())).as("each row once").doesNotHaveDuplicates();
        assertThat(new HashSet<>(rows(output()))).as("no row lost").isEqualTo(inputRows());
        if (alwaysOrdered) {
            assertThat(rows(output())).as("order").isSorted();
        }
        checkWatermarksThatAreMissing();
        rig.runMails();
        assertThat(rig.timers.active()).as("timers left").isZero();
        assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
    }

    @Override
    public void close() throws Exception {
        rig.close();
    }

    // ----------------------------------------------------------------- steps

    private void row(int choice) throws Exception {
        int id = ++lastId;
        input.add(id);
        arrivals.put(id, rig.timers.getCurrentProcessingTime());
        rig.whileYielding(() -> rig.rows(id), () -> answerSomething(choice));
    }

    private void watermark() throws Exception {
        int timestamp = ++lastId;
        input.add(-timestamp);
        rig.watermark(timestamp);
    }

    /** What waits for this to happen may also wait for time to pass, as a retry does. */
    private void answerSomething(int choice) {
        if (!complete(rig.invoker.invocations, choice, false)
                && !complete(rig.invoker.timeouts, choice, true)) {
            rig.timers.advance(1);
        }
        for (FakeInvoker<Integer, Integer>.Call call : rig.invoker.timeouts) {
            answer(call, true);
        }
    }

    private boolean complete(
            List<FakeInvoker<Integer, Integer>.Call> calls, int choice, boolean isTimeout) {
        Optional<FakeInvoker<Integer, Integer>.Call> call = open(calls, choice);
        call.ifPresent(found -> answer(found, isTimeout));
        return call.isPresent();
    }

    private static void answer(FakeInvoker<Integer, Integer>.Call call, boolean isTimeout) {
        if (isTimeout) {
            call.succeed(call.inputs().stream().map(id -> -id).toList());
        } else {
            call.succeed();
        }
    }

    private void retry(int choice) {
        open(rig.invoker.invocations, choice)
                .ifPresent(
                        call -> {
                            call.retry(choice % 20);
                            retries.add(new Retry(call.request.batchId(), call.request.attempt()));
                        });
    }

    private void fail(int choice) {
        open(rig.invoker.invocations, choice)
                .ifPresent(
                        call -> {
                            if (choice % 2 == 0) {
                                call.fail(new IllegalStateException("planted"));
                            } else {
                                call.succeed(call.results().subList(1, call.inputs().size()));
                            }
                        });
    }

    private static Optional<FakeInvoker<Integer, Integer>.Call> open(
            List<FakeInvoker<Integer, Integer>.Call> calls, int choice) {
        List<FakeInvoker<Integer, Integer>.Call> open =
                calls.stream().filter(FakeInvoker.Call::isOpen).toList();
        return open.isEmpty() ? Optional.empty() : Optional.of(open.get(choice % open.size()));
    }

    private void snapshot() throws Exception {
        checkpoint =
                new Checkpoint(
                        rig.snapshot(),
                        List.copyOf(input),
                        output(),
                        computedAndHeldBack(),
                        perhapsComputed());
    }

    /**
     * The operator dies, with all its output since the snapshot, and goes on with other settings.
     */
    private void crash(int choice, boolean rescale) throws Exception {
        rig.close();
        input = new ArrayList<>(checkpoint.input());
        earlierOutput = new ArrayList<>(checkpoint.output());
        OperatorSubtaskState state = checkpoint.state();
        if (rescale) {
            state = scaledUpAndDown(state, 2 + choice % 3);
            // Mixed with those of other subtasks they say nothing of the rows around them.
            input.removeIf(e -> e < 0 && !earlierOutput.contains("W:" + -e));
            alwaysOrdered = false;
            rescaled = true;
        }
        restoredResults = new HashSet<>(checkpoint.computed());
        perhapsRestored = new HashSet<>(checkpoint.perhapsComputed());
        arrivals.clear();
        restoredRows.clear();
        restoredRows.addAll(inputRows());
        restoredRows.forEach(id -> arrivals.put(id, 0L));
        checkedInvocations = 0;
        retries.clear();
        slotsBefore = 0;
        slotFreedAt = 0;
        settings =
                new BatchSettings(
                        choice % 2 == 0 ? OutputMode.ORDERED : OutputMode.UNORDERED,
                        1 + choice % 4,
                        choice % 3 == 0 ? 10 : settings.batchTimeoutMillis(),
                        settings.timeoutMillis(),
                        1 + choice % 3,
                        settings.maxBatchBytes());
        alwaysOrdered &= settings.outputMode() == OutputMode.ORDERED;
        rig = OperatorRig.create(settings, OperatorModel::weightOf, grouping);
        rig.harness.initializeState(state);
        rig.opened();
        if (rescale) {
            snapshot();
        }
    }

    /** What several subtasks, that come and go, make of the state. */
    private OperatorSubtaskState scaledUpAndDown(OperatorSubtaskState state, int subtasks)
            throws Exception {
        OperatorSubtaskState[] states = new OperatorSubtaskState[subtasks];
        for (int subtask = 0; subtask < subtasks; subtask++) {
            try (var one = OperatorRig.create(settings, grouping, subtask, subtasks)) {
                one.harness.initializeState(
                        AbstractStreamOperatorTestHarness.repartitionOperatorState(
                                state, MAX_PARALLELISM, 1, subtasks, subtask));
                states[subtask] = one.opened().snapshot();
            }
        }
        return AbstractStreamOperatorTestHarness.repartitionOperatorState(
                AbstractStreamOperatorTestHarness.repackageState(states),
                MAX_PARALLELISM,
                subtasks,
                1,
                0);
    }

    // ---------------------------------------------------------------- checks

    private void check() {
        checkInvocations();
        checkOutput();
        checkCapacity();
    }

    private void checkInvocations() {
        var invocations = rig.invoker.invocations;
        for (; checkedInvocations < invocations.size(); checkedInvocations++) {
            List<Integer> batch = invocations.get(checkedInvocations).inputs();
            checkAttempt(invocations.get(checkedInvocations));
            assertThat(batch).as("computed again").noneMatch(restoredResults::contains);
            assertThat(batch.size()).as("batch size").isBetween(1, settings.batchSize());
            long weight = batch.stream().mapToLong(OperatorModel::weightOf).sum();
            assertThat(batch.size() == 1 || weight <= settings.maxBatchBytes())
                    .as("bytes of %s", batch)
                    .isTrue();
            checkReasonToClose(batch, weight);
        }
    }

    private void checkAttempt(FakeInvoker<Integer, Integer>.Call call) {
        if (call.request.attempt() > 1) {
            assertThat(retries)
                    .as("invoked again without being asked to")
                    .contains(new Retry(call.request.batchId(), call.request.attempt() - 1));
            assertThat(rig.invoker.timeouts)
                    .as("invoked again after its timeout")
                    .noneMatch(
                            timeout ->
                                    timeout.order < call.order
                                            && timeout.request.batchId() == call.request.batchId());
        }
    }

    private void checkReasonToClose(List<Integer> batch, long weight) {
        int last = batch.get(batch.size() - 1);
        Set<Integer> leftEarlier = new HashSet<>(rows(earlierOutput));
        Integer next =
                input.stream()
                        .filter(id -> id > last && !leftEarlier.contains(id))
                        .findFirst()
                        .orElse(null);
        boolean full =
                batch.size() == settings.batchSize()
                        || weight >= settings.maxBatchBytes()
                        || next != null && weight + weightOf(next) > settings.maxBatchBytes();
        boolean timedOut =
                settings.closesByProcessingTime()
                        && rig.timers.getCurrentProcessingTime()
                                >= arrivals.get(batch.get(0)) + settings.batchTimeoutMillis();
        boolean splitByRestore =
                restoredRows.contains(last) && next != null && perhapsRestored.contains(next);
        // Rows of several subtasks came in no order that is known here.
        boolean mixed = rescaled && restoredRows.contains(last);
        assertThat(full || timedOut || ended || splitByRestore || mixed)
                .as("batch %s closed without a reason", batch)
                .isTrue();
    }

    private void checkOutput() {
        Set<Integer> timedOut = new HashSet<>();
        rig.invoker.timeouts.forEach(call -> timedOut.addAll(call.inputs()));
        List<String> output = output();
        Set<Integer> seen = new HashSet<>();
        for (int index = 0; index < output.size(); index++) {
            String element = output.get(index);
            if (element.startsWith("W:")) {
                int mark = input.indexOf(-Integer.parseInt(element.substring(2)));
                assertThat(seen)
                        .as("rows that left before %s", element)
                        .isEqualTo(rowsOf(input.subList(0, mark)));
                continue;
            }
            int value = Integer.parseInt(element);
            int id = value < 0 ? -value : value / 10;
            if (index >= earlierOutput.size() && !restoredResults.contains(id)) {
                assertThat(value < 0).as("row %s", id).isEqualTo(timedOut.contains(id));
            }
            assertThat(seen.add(id)).as("row %s twice", id).isTrue();
        }
    }

    private void checkCapacity() {
        Set<Integer> left = new HashSet<>(rows(output()));
        long slots =
                rig.invoker.invocations.stream()
                        .filter(call -> call.request.attempt() == 1)
                        .filter(call -> !left.containsAll(call.inputs()))
                        .count();
        assertThat(slots).as("batches in flight").isLessThanOrEqualTo(settings.capacity());
        assertThat(rig.gauge("inflightBatches")).isEqualTo((int) slots);
        if (slots < slotsBefore) {
            slotFreedAt = rig.timers.getCurrentProcessingTime();
        }
        slotsBefore = (int) slots;
    }

    /** No mail waits: whatever may happen has happened. */
    private void checkNothingIsStuck() {
        List<Integer> invoked = new ArrayList<>();
        rig.invoker.invocations.forEach(call -> invoked.addAll(call.inputs()));
        Set<Integer> left = new HashSet<>(rows(output()));
        long slots = (Integer) rig.gauge("inflightBatches");
        for (int id : rowsOf(input)) {
            if (settings.closesByProcessingTime()
                    && !invoked.contains(id)
                    && !left.contains(id)
                    && !perhapsRestored.contains(id)
                    && slots < settings.capacity()) {
                // Rows that were held back get a moment to join a batch that waited for a slot.
                assertThat(rig.timers.getCurrentProcessingTime())
                        .as("row %s waits for its batch", id)
                        .isLessThan(
                                Math.max(
                                        arrivals.get(id) + settings.batchTimeoutMillis(),
                                        slotFreedAt + 1));
            }
        }
        Set<Integer> computed = computed();
        for (int element : input) {
            if (element < 0) {
                if (!output().contains("W:" + -element) && !isSuperseded(element)) {
                    assertThat(left)
                            .as("watermark %s is held back for nothing", -element)
                            .isNotEqualTo(rowsOf(input.subList(0, input.indexOf(element))));
                    return;
                }
            } else if (!left.contains(element)) {
                if (rescaled && settings.outputMode() == OutputMode.ORDERED) {
                    return; // It may wait for any other.
                }
                assertThat(computed).as("row held back for nothing").doesNotContain(element);
                if (settings.outputMode() == OutputMode.ORDERED) {
                    return;
                }
            }
        }
    }

    private void checkWatermarksThatAreMissing() {
        for (int element : input) {
            if (element < 0 && !output().contains("W:" + -element)) {
                assertThat(isSuperseded(element)).as("watermark %s is lost", -element).isTrue();
            }
        }
    }

    /** Whether the next thing that went in was another watermark. */
    private boolean isSuperseded(int watermark) {
        int next = input.indexOf(watermark) + 1;
        return next < input.size() && input.get(next) < 0;
    }

    // ----------------------------------------------------------------- facts

    private static long weightOf(int id) {
        return 1 + id % 3;
    }

    private List<String> output() {
        List<String> output = new ArrayList<>(earlierOutput);
        output.addAll(rig.output());
        return output;
    }

    private Set<Integer> inputRows() {
        return new HashSet<>(rowsOf(input));
    }

    private static Set<Integer> rowsOf(List<Integer> elements) {
        Set<Integer> rows = new LinkedHashSet<>(elements);
        rows.removeIf(element -> element < 0);
        return rows;
    }

    private static List<Integer> rows(List<String> output) {
        return output.stream()
                .filter(element -> !element.startsWith("W:"))
                .map(Integer::parseInt)
                .map(value -> value < 0 ? -value : value / 10)
                .toList();
    }

    /** Rows whose results are known to the operator, as far as its mails have run. */
    private Set<Integer> computed() {
        Set<Integer> computed = new HashSet<>(restoredResults);
        Set<Integer> timedOut = new HashSet<>();
        for (var call : rig.invoker.timeouts) {
            timedOut.addAll(call.inputs());
            if (!call.isOpen()) {
                computed.addAll(call.inputs());
            }
        }
        for (var call : rig.invoker.invocations) {
            if (call.hasResults() && !timedOut.contains(call.inputs().get(0))) {
                computed.addAll(call.inputs());
            }
        }
        return computed;
    }

    private Set<Integer> perhapsComputed() {
        Set<Integer> computed = computed();
        computed.addAll(perhapsRestored);
        return computed;
    }

    /** Of these none may ever be invoked again; taken when no mail waits. */
    private Set<Integer> computedAndHeldBack() throws Exception {
        if (rig.harness.getTaskMailbox().hasMail()) {
            return restoredResultsNotLeft();
        }
        Set<Integer> heldBack = computed();
        rows(output()).forEach(heldBack::remove);
        return heldBack;
    }

    private Set<Integer> restoredResultsNotLeft() {
        Set<Integer> heldBack = new HashSet<>(restoredResults);
        rows(output()).forEach(heldBack::remove);
        return heldBack;
    }
}
