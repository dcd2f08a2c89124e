package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;

/**
 * What has to hold of an operator that looks at what is in rows, whatever happens to it: each row
 * leaves once, with a result for its key or as a dead letter of its own, and nothing overtakes what
 * it must not. A row is its number times ten and its key; its number is its timestamp too. Its
 * result is ten times the row; its substitute after a deadline is the negative row. Used by the
 * test's thread.
 */
final class RowGroupingModel implements AutoCloseable {

    private static final int KEYS = 4;

    enum StepKind {
        ROW,
        WATERMARK,
        SUCCEED,
        YIELD_ROW,
        FAIL,
        FAIL_ROW,
        KILL_WORKER,
        ANSWER_TIMEOUT,
        ADVANCE_CLOCK,
        RUN_MAILS,
        SNAPSHOT,
        CRASH
    }

    /** What happens next; the choice picks one of several candidates or an amount. */
    record Step(StepKind kind, int choice) {}

    private record Checkpoint(
            OperatorSubtaskState state,
            List<Integer> input,
            List<String> output,
            List<String> letters) {}

    private final BatchSettings settings;
    private final RowGrouping<Integer> grouping;
    private OperatorRig<Integer> rig;
    private int lastNumber;
    private int answers;

    /** Numbers of rows, and timestamps of watermarks as negative numbers, as they went in. */
    private List<Integer> input = new ArrayList<>();

    private final Map<Integer, Integer> rowByNumber = new HashMap<>();

    /** What came out before the operator that runs now. */
    private List<String> earlierOutput = new ArrayList<>();

    private List<String> earlierLetters = new ArrayList<>();

    /** Whether all outcomes so far were of the rows themselves, so that none waited in vain. */
    private boolean allTold = true;

    private Checkpoint checkpoint;

    RowGroupingModel(BatchSettings settings, RowGrouping<Integer> grouping) throws Exception {
        this.settings = settings;
        this.grouping = grouping;
        rig = OperatorRig.create(settings, grouping, 0, 1).opened();
        snapshot();
    }

    static int keyOf(int row) {
        return row % 10;
    }

    static long weightOf(int row) {
        return row / 10 % 8;
    }

    void take(Step step) throws Exception {
        int choice = step.choice();
        switch (step.kind()) {
            case ROW -> row(choice);
            case WATERMARK -> {
                input.add(- ++lastNumber);
                rig.watermark(lastNumber);
            }
            case SUCCEED -> pick(rig.invoker.invocations, choice).forEach(call -> call.succeed());
            case YIELD_ROW -> pick(rig.invoker.invocations, choice).forEach(this::yieldAndSucceed);
            case FAIL -> {
                allTold = false;
                pick(rig.invoker.invocations, choice)
                        .forEach(call -> call.fail(new IllegalStateException("planted")));
            }
            case FAIL_ROW ->
                    pick(rig.invoker.invocations, choice)
                            .forEach(
                                    call ->
                                            call.failRows(
                                                    new IllegalStateException("toxic"),
                                                    choice % call.inputs().size()));
            case KILL_WORKER -> {
                allTold = false;
                rig.invoker.killWorker();
                rig.invoker.ready.complete(null);
            }
            case ANSWER_TIMEOUT -> pick(rig.invoker.timeouts, choice).forEach(this::substitute);
            case ADVANCE_CLOCK -> rig.timers.advance(1 + choice % 15);
            case RUN_MAILS -> {
                rig.runMails();
                checkNothingIsStuck();
            }
            case SNAPSHOT -> snapshot();
            case CRASH -> crash(choice);
        }
        check();
    }

    /** Ends the input, has everything answered and checks what came out in all. */
    void finish() throws Exception {
        rig.whileYielding(rig.harness::endInput, this::answerSomething);
        check();
        Set<Integer> left = new TreeSet<>();
        rows(output()).forEach(left::add);
        letters().forEach(letter -> left.add(numberOf(letter)));
        assertThat(left).as("rows that left").isEqualTo(numbers(input));
        for (int element : input) {
            assertThat(element > 0 || output().contains("W:" + -element) || isSuperseded(element))
                    .as("watermark %s is lost", -element)
                    .isTrue();
        }
        rig.runMails();
        assertThat(rig.timers.active()).as("timers left").isZero();
        assertThat(rig.gauge("inflightBatches")).isEqualTo(0);
        assertThat(rig.gauge("followingRows")).isEqualTo(0);
        assertThat(rig.gauge("pendingOrderedBatches")).isEqualTo(0);
    }

    @Override
    public void close() throws Exception {
        rig.close();
    }

    // ----------------------------------------------------------------- steps

    private void row(int choice) throws Exception {
        int number = ++lastNumber;
        int row = number * 10 + choice % KEYS;
        rowByNumber.put(number, row);
        input.add(number);
        rig.whileYielding(() -> rig.row(row, number), this::answerSomething);
    }

    private void answerSomething() {
        assertThat(++answers).as("rounds without an end").isLessThan(100_000);
        var calls = pick(rig.invoker.invocations, 0).toList();
        calls.forEach(call -> call.succeed());
        if (calls.isEmpty()) {
            rig.timers.advance(1);
        }
        rig.invoker.timeouts.stream().filter(FakeInvoker.Call::isOpen).forEach(this::substitute);
    }

    private void substitute(FakeInvoker<Integer, Integer>.Call call) {
        allTold = false;
        call.succeed(call.inputs().stream().map(row -> -row).toList());
    }

    private void yieldAndSucceed(FakeInvoker<Integer, Integer>.Call call) {
        call.yieldRows(0);
        List<Integer> rest = call.results();
        call.succeed(rest.subList(1, rest.size()));
    }

    private static Stream<FakeInvoker<Integer, Integer>.Call> pick(
            List<FakeInvoker<Integer, Integer>.Call> calls, int choice) {
        List<FakeInvoker<Integer, Integer>.Call> open =
                calls.stream().filter(FakeInvoker.Call::isOpen).toList();
        return open.isEmpty() ? Stream.of() : Stream.of(open.get(choice % open.size()));
    }

    private void snapshot() throws Exception {
        checkpoint = new Checkpoint(rig.snapshot(), List.copyOf(input), output(), letters());
    }

    private void crash(int choice) throws Exception {
        if (choice % 2 == 0) {
            snapshot();
        }
        rig.close();
        input = new ArrayList<>(checkpoint.input());
        earlierOutput = checkpoint.output();
        earlierLetters = checkpoint.letters();
        rig = OperatorRig.create(settings, grouping, 0, 1);
        rig.harness.initializeState(checkpoint.state());
        rig.opened();
    }

    // ---------------------------------------------------------------- checks

    private void check() {
        checkCalls();
        checkLeaving();
        long followers = (Integer) rig.gauge("followingRows");
        assertThat(followers)
                .as("followers, and those that are let in so that barriers get through")
                .isLessThanOrEqualTo((long) settings.capacity() * settings.batchSize() + 20);
    }

    private void checkCalls() {
        List<FakeInvoker<Integer, Integer>.Call> open = rig.invoker.underWay();
        assertThat(open.size()).as("calls under way").isLessThanOrEqualTo(settings.capacity());
        Set<Integer> keys = new HashSet<>();
        for (var call : open) {
            assertThat(call.inputs().size()).isBetween(1, settings.batchSize());
            long weight = call.inputs().stream().mapToLong(RowGroupingModel::weightOf).sum();
            assertThat(call.inputs().size() == 1 || weight <= grouping.getMaxBatchWeight())
                    .as("weight of %s", call.inputs())
                    .isTrue();
            assertThat(
                            call.inputs().stream()
                                    .map(row -> grouping.bucketOf(weightOf(row)))
                                    .distinct())
                    .as("buckets of %s", call.inputs())
                    .hasSizeLessThanOrEqualTo(grouping.getCoalesceKey() == null ? 1 : 3);
            for (int row : call.inputs()) {
                boolean alone = keyOf(row) == 0 || keys.add(keyOf(row));
                assertThat(alone || !allTold || grouping.getCoalesceKey() == null)
                        .as("key %s is computed twice at a time", keyOf(row))
                        .isTrue();
            }
        }
    }

    private void checkLeaving() {
        Set<Integer> seen = new HashSet<>();
        letters().forEach(letter -> assertThat(seen.add(numberOf(letter))).isTrue());
        Set<Integer> dead = Set.copyOf(seen);
        int last = 0;
        for (String element : output()) {
            if (element.startsWith("W:")) {
                int mark = input.indexOf(-Integer.parseInt(element.substring(2)));
                Set<Integer> before = numbers(input.subList(0, mark));
                before.removeAll(seen);
                assertThat(before).as("rows that %s overtook", element).isEmpty();
                Set<Integer> behind = numbers(input.subList(mark, input.size()));
                behind.removeAll(dead);
                behind.retainAll(seen);
                assertThat(behind).as("rows that overtook %s", element).isEmpty();
                continue;
            }
            int number = numberOfResult(element);
            int row = rowByNumber.get(number);
            int result = Integer.parseInt(element.substring(0, element.indexOf('@')));
            assertThat(seen.add(number)).as("row %s twice", number).isTrue();
            if (result < 0) {
                assertThat(-result).as("a substitute is for its row alone").isEqualTo(row);
            } else if (keyOf(row) == 0 || grouping.getCoalesceKey() == null) {
                assertThat(result).isEqualTo(row * 10);
            } else {
                assertThat(keyOf(result / 10)).as("result of row %s", row).isEqualTo(keyOf(row));
            }
            if (settings.outputMode() == OutputMode.ORDERED) {
                assertThat(number).as("order").isGreaterThan(last);
                last = number;
            }
        }
    }

    /** No mail waits, so what nothing is under way for must be forming, with time or room left. */
    private void checkNothingIsStuck() {
        boolean idle =
                Stream.concat(rig.invoker.invocations.stream(), rig.invoker.timeouts.stream())
                        .noneMatch(FakeInvoker.Call::isOpen);
        if (idle && settings.batchSize() == 1) {
            assertThat(rows(output()).count() + letters().size())
                    .as("rows that left, as nothing is under way or forming")
                    .isEqualTo(numbers(input).size());
        }
    }

    private boolean isSuperseded(int watermark) {
        int next = input.indexOf(watermark) + 1;
        return next < input.size() && input.get(next) < 0;
    }

    // ----------------------------------------------------------------- facts

    private List<String> output() {
        return Stream.concat(earlierOutput.stream(), rig.output().stream()).toList();
    }

    private List<String> letters() {
        return Stream.concat(earlierLetters.stream(), rig.deadLetters().stream()).toList();
    }

    /** The dead letter's input has to be that of its timestamp. */
    private int numberOf(String letter) {
        int number = Integer.parseInt(letter.substring(letter.lastIndexOf('@') + 1));
        assertThat(letter).startsWith(rowByNumber.get(number) + " ");
        return number;
    }

    private static int numberOfResult(String element) {
        return Integer.parseInt(element.substring(element.indexOf('@') + 1));
    }

    private static Stream<Integer> rows(List<String> output) {
        return output.stream()
                .filter(element -> !element.startsWith("W:"))
                .map(RowGroupingModel::numberOfResult);
    }

    private static Set<Integer> numbers(List<Integer> elements) {
        Set<Integer> rows = new TreeSet<>(elements);
        rows.removeIf(element -> element < 0);
        return rows;
    }
}
