package io.asyncbatch.flink.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.BackendOverload;
import io.asyncbatch.flink.RetryAfter;
import io.asyncbatch.flink.invoker.BatchInvoker;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.InvokerContext;
import io.asyncbatch.flink.invoker.RowFailure;
import io.asyncbatch.flink.operator.inflight.Deadlines;
import io.asyncbatch.flink.simulation.Scenario.CallEnd;
import io.asyncbatch.flink.simulation.Scenario.Poison;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import javax.annotation.Nullable;

/**
 * A model of what computes batches: its calls end when and how the schedule's choices say, too late
 * and not at all among others; its worker dies and is replaced. It keeps the contract of {@link
 * BatchInvoker}, whatever goes wrong, and checks that the operator keeps its own. Used by one
 * thread.
 */
final class SimulatedInvoker implements BatchInvoker<Integer, Integer> {

    /** For so long a timeout handler is waited for, but for what is lost in rounding. */
    private static final long PATIENCE_MICROS =
            Deadlines.TIMEOUT_ANSWER_GRACE_MILLIS * Scenario.MILLI - Scenario.MILLI;

    /** What the operator that calls must hold, beside what is said of a call here. */
    interface Caller {

        /** A call for these rows is about to begin. */
        void begins(List<Integer> rows);

        /** Whether there may be two calls for the same rows. */
        boolean hedges();

        /** Something went wrong that may cost these rows their results. */
        void mayFail(List<Integer> rows);

        /** Something went wrong that may end the task. */
        void mayEnd(Reached how);

        /** Whether something may still go wrong; counts as going wrong. */
        boolean takeFault();

        /** Whether nothing goes wrong any more, so that all can come to its end. */
        boolean isHealed();
    }

    private static final class Busy extends Exception implements BackendOverload {

        private static final long serialVersionUID = 1L;

        private Busy() {
            super("busy");
        }
    }

    private static final class BusyUntil extends Exception implements RetryAfter {

        private static final long serialVersionUID = 1L;

        private final long delayMillis;

        private BusyUntil(long delayMillis) {
            super("busy");
            this.delayMillis = delayMillis;
        }

        @Override
        public Optional<Duration> retryAfter() {
            return Optional.of(Duration.ofMillis(delayMillis));
        }
    }

    /** One call of {@code invoke} or {@code timeout}. */
    private final class Call {
        private final int number = ++calls;
        private final BatchRequest<Integer> request;
        @Nullable private final EarlyRows<Integer> early;
        private final CompletableFuture<BatchOutcome<Integer>> stage = new CompletableFuture<>();
        private final Set<Integer> given = new HashSet<>();
        private boolean isGivenUp;

        private Call(BatchRequest<Integer> request, @Nullable EarlyRows<Integer> early) {
            this.request = request;
            this.early = early;
        }

        private boolean isForTimeout() {
            return early == null;
        }

        private List<Integer> rows() {
            return request.inputs();
        }

        private int[] remaining() {
            return IntStream.range(0, rows().size()).filter(i -> !given.contains(i)).toArray();
        }

        private boolean counts(boolean withoutNews) {
            return !isGivenUp && (withoutNews || remaining().length > 0);
        }

        private boolean hasPoison() {
            return rows().stream().anyMatch(scenario::isPoisoned);
        }

        private void end(BatchOutcome<Integer> outcome) {
            if (!open.remove(this)) {
                return;
            }
            coverage.reachIf(isGivenUp, Reached.CALL_ENDED_AFTER_ITS_DEADLINE);
            coverage.reachIf(closed, Reached.CALL_ENDED_AFTER_ITS_TASK);
            note();
            stage.complete(outcome);
        }

        @Override
        public String toString() {
            return "%s: call %d%s, batch %d attempt %d"
                    .formatted(
                            owner,
                            number,
                            isForTimeout() ? " (timeout)" : "",
                            request.batchId(),
                            request.attempt());
        }
    }

    private final String owner;
    private final Scenario scenario;
    private final Choices choices;
    private final VirtualTime time;
    private final Trace trace;
    private final Coverage coverage;
    private final Caller caller;

    /** In the order in which they began. */
    private final Set<Call> open = new LinkedHashSet<>();

    private CompletableFuture<Void> ready = CompletableFuture.completedFuture(null);
    private InvokerContext context;
    private boolean isUp = true;
    private int worker = 1;
    private int calls;
    private boolean closed;

    /** When something was last going on here, or will have to wait until. */
    private long busyUntilMicros;

    /** The longest that a retry has had to wait after its answer was heard. */
    private long longestDelayMicros;

    SimulatedInvoker(
            String owner,
            Scenario scenario,
            Choices choices,
            VirtualTime time,
            Trace trace,
            Coverage coverage,
            Caller caller) {
        this.owner = owner;
        this.scenario = scenario;
        this.choices = choices;
        this.time = time;
        this.trace = trace;
        this.coverage = coverage;
        this.caller = caller;
        this.busyUntilMicros = time.micros();
    }

    @Override
    public void open(InvokerContext invokerContext) {
        context = invokerContext;
    }

    // ------------------------------------------------------------------ calls

    @Override
    public CompletionStage<BatchOutcome<Integer>> invoke(
            BatchRequest<Integer> request, EarlyRows<Integer> early) {
        if (!isSecondCall(request)) {
            checkThatNobodyElseAsks(request.inputs());
        }
        caller.begins(request.inputs());
        if (!isUp) {
            coverage.reach(Reached.CALL_WITHOUT_A_WORKER);
            return CompletableFuture.completedFuture(lost(0));
        }
        Call call = new Call(request, early);
        CallEnd end =
                choices.chance(500) && caller.takeFault() ? scenario.drawEnd() : CallEnd.SUCCESS;
        trace.say("%s begins for %s, to end with %s", call, request.inputs(), end);
        if (end == CallEnd.THROWN) {
            caller.mayEnd(Reached.TASK_FAILED_BY_THE_INVOKER);
            throw new IllegalStateException("planted");
        }
        open.add(call);
        if (end == CallEnd.SILENCE) {
            caller.mayFail(call.rows());
            return call.stage;
        }
        if (choices.chance(scenario.callsAtOnce)) {
            coverage.reach(Reached.CALL_ENDED_AT_ONCE);
            finish(call, end);
            return call.stage;
        }
        long micros = latency();
        giveEarly(call, micros);
        time.in(micros, call + " ends with " + end, () -> finish(call, end));
        return call.stage;
    }

    /** Whether it repeats one call that goes on, as a hedge does. */
    private boolean isSecondCall(BatchRequest<Integer> request) {
        List<Call> same =
                open.stream()
                        .filter(call -> !call.isGivenUp && call.rows().equals(request.inputs()))
                        .toList();
        if (same.isEmpty() || !caller.hedges()) {
            return false;
        }
        assertThat(same).as("calls for %s that go on", request.inputs()).hasSize(1);
        assertThat(same.get(0).isForTimeout()).as("a second call for %s", same.get(0)).isFalse();
        return true;
    }

    @Override
    public void cancel(long batchId, int attempt) {
        for (Call call : List.copyOf(open)) {
            if (call.request.batchId() == batchId && call.request.attempt() == attempt) {
                call.isGivenUp = true;
                if (!choices.chance(scenario.lateAnswers)) {
                    open.remove(call);
                }
            }
        }
    }

    private void checkThatNobodyElseAsks(List<Integer> rows) {
        for (Call other : open) {
            if (!other.isGivenUp) {
                for (int index : other.remaining()) {
                    assertThat(rows)
                            .as("%s has row %s", other, other.rows().get(index))
                            .doesNotContain(other.rows().get(index));
                }
            }
        }
    }

    private long latency() {
        long most = caller.isHealed() ? Scenario.MILLI : 2 * scenario.callMicros;
        long micros = 1 + choices.below((int) most);
        return choices.chance(scenario.slowCalls) && caller.takeFault() ? 40 * micros : micros;
    }

    private void giveEarly(Call call, long withinMicros) {
        for (int times = 0; times < 3 && choices.chance(scenario.earlyRows); times++) {
            long micros = choices.below((int) withinMicros);
            time.in(micros, call + " gives rows early", () -> giveSome(call));
        }
    }

    private void giveSome(Call call) {
        int[] remaining = call.remaining();
        if (!open.contains(call) || remaining.length == 0) {
            return;
        }
        int[] rows = IntStream.of(remaining).filter(i -> choices.chance(600)).toArray();
        if (rows.length == 0) {
            return;
        }
        coverage.reach(Reached.EARLY_ROWS);
        coverage.reachIf(call.isGivenUp, Reached.EARLY_ROWS_AFTER_THE_DEADLINE);
        coverage.reachIf(rows.length == call.rows().size(), Reached.ALL_ROWS_EARLY);
        List<Integer> results = new ArrayList<>();
        List<RowFailure> failures = new ArrayList<>();
        for (int row : rows) {
            call.given.add(row);
            boolean fails = failsAlone(call.rows().get(row));
            results.add(fails ? null : Rows.resultOf(call.rows().get(row)));
            if (fails) {
                failures.add(new RowFailure(row, new IllegalStateException("toxic")));
                caller.mayFail(List.of(call.rows().get(row)));
            }
        }
        call.early.accept(rows, results, failures);
    }

    private boolean failsAlone(int row) {
        return scenario.poison == Poison.ROW_FAILS && scenario.isPoisoned(row);
    }

    private void finish(Call call, CallEnd drawn) {
        if (!open.contains(call)) {
            return;
        }
        CallEnd end = drawn;
        if (call.hasPoison()) {
            end =
                    switch (scenario.poison) {
                        case KILLS_WORKER -> CallEnd.WORKER_DIES;
                        case CALL_FAILS -> CallEnd.FAILURE;
                        case TOO_LARGE -> CallEnd.TOO_LARGE;
                        default -> drawn;
                    };
        }
        if (end == CallEnd.WORKER_DIES) {
            die("a call killed it");
            return;
        }
        if (end == CallEnd.BROKEN) {
            caller.mayEnd(Reached.TASK_FAILED_BY_THE_INVOKER);
            open.remove(call);
            note();
            call.stage.completeExceptionally(new IllegalStateException("planted"));
            return;
        }
        if (end == CallEnd.FOREIGN_ROW) {
            caller.mayEnd(Reached.TASK_FAILED_BY_A_CALL);
            int[] foreign = {call.rows().size()};
            call.early.accept(foreign, Arrays.asList((Integer) null), List.of());
        }
        BatchOutcome<Integer> outcome = outcome(call, end);
        call.end(
                choices.chance(scenario.deferred) ? BatchOutcome.deferred(() -> outcome) : outcome);
    }

    private BatchOutcome<Integer> outcome(Call call, CallEnd end) {
        if (end != CallEnd.SUCCESS && !isRetry(end)) {
            goesWrong(call);
        }
        return switch (end) {
            case FAILURE -> BatchOutcome.failure(new IllegalStateException("planted"));
            case ROW_FAILURES -> succeed(call, true);
            case SHORT_RESULT -> {
                List<Integer> results = results(call);
                yield BatchOutcome.success(
                        results.isEmpty() ? List.of(1) : results.subList(1, results.size()));
            }
            case NO_RESULT -> BatchOutcome.success(null);
            case TOO_LARGE -> BatchOutcome.tooLarge(new IllegalStateException("large"));
            case RETRY -> retry(new IllegalStateException("again"));
            case RETRY_OF_A_RESULT -> retry(null);
            case OVERLOADED -> retry(new Busy());
            case OVERLOADED_UNTIL -> BatchOutcome.failure(new BusyUntil(1 + choices.below(200)));
            default -> succeed(call, false);
        };
    }

    private static boolean isRetry(CallEnd end) {
        return end == CallEnd.RETRY
                || end == CallEnd.RETRY_OF_A_RESULT
                || end == CallEnd.OVERLOADED;
    }

    private BatchOutcome<Integer> retry(@Nullable Throwable cause) {
        int delayMillis = choices.below(choices.oneOf(20, 1, 400));
        longestDelayMicros = Math.max(longestDelayMicros, (1 + delayMillis) * Scenario.MILLI);
        busyUntilMicros =
                Math.max(busyUntilMicros, time.micros() + (1 + delayMillis) * Scenario.MILLI);
        return BatchOutcome.retry(cause, delayMillis);
    }

    private BatchOutcome<Integer> succeed(Call call, boolean notAllRows) {
        List<RowFailure> failures = new ArrayList<>();
        List<Integer> failed = new ArrayList<>();
        for (int row : call.remaining()) {
            if (failsAlone(call.rows().get(row)) || notAllRows && choices.chance(400)) {
                failures.add(new RowFailure(row, new IllegalStateException("toxic")));
                failed.add(call.rows().get(row));
            }
        }
        caller.mayFail(failed);
        return BatchOutcome.success(results(call), failures);
    }

    private static List<Integer> results(Call call) {
        return IntStream.of(call.remaining())
                .map(i -> Rows.resultOf(call.rows().get(i)))
                .boxed()
                .toList();
    }

    private void goesWrong(Call call) {
        caller.mayFail(call.rows());
        if (!scenario.contained) {
            caller.mayEnd(Reached.TASK_FAILED_BY_A_CALL);
        }
    }

    // --------------------------------------------------------------- timeouts

    @Override
    public CompletionStage<BatchOutcome<Integer>> timeout(BatchRequest<Integer> request) {
        for (Call other : List.copyOf(open)) {
            if (other.request.batchId() == request.batchId()) {
                assertThat(other.isForTimeout()).as("%s, and again", other).isFalse();
                other.isGivenUp = true;
                if (!choices.chance(scenario.lateAnswers)) {
                    open.remove(other);
                }
            }
        }
        checkThatNobodyElseAsks(request.inputs());
        if (!isUp) {
            return CompletableFuture.completedFuture(lost(0));
        }
        Call call = new Call(request, null);
        trace.say("%s begins for %s", call, request.inputs());
        open.add(call);
        boolean fails = choices.chance(scenario.handlerFaults);
        if (fails && choices.chance(400) && caller.takeFault()) {
            coverage.reach(Reached.TIMEOUT_HANDLER_SILENT);
            goesWrong(call);
            if (!scenario.restartable) {
                time.in(PATIENCE_MICROS, call + " is not waited for", () -> giveUp(call));
            }
            return call.stage;
        }
        long micros = choices.below((int) (2 * scenario.callMicros));
        time.in(micros, call + " ends", () -> finishTimeout(call, fails));
        return call.stage;
    }

    private void giveUp(Call call) {
        note();
        call.isGivenUp = true;
    }

    private void finishTimeout(Call call, boolean fails) {
        if (fails) {
            goesWrong(call);
            call.end(
                    choices.chance(300)
                            ? BatchOutcome.success(List.of())
                            : BatchOutcome.failure(new IllegalStateException("planted")));
        } else {
            call.end(BatchOutcome.success(call.rows().stream().map(Rows::substituteFor).toList()));
        }
    }

    // ---------------------------------------------------------------- workers

    /** The worker dies, as it does by itself. */
    void kill() {
        if (isUp && !closed && caller.takeFault()) {
            coverage.reachIf(open.isEmpty(), Reached.WORKER_DIED_IDLE);
            die("killed");
        }
    }

    private void die(String why) {
        if (!isUp || closed) {
            return;
        }
        isUp = false;
        worker++;
        coverage.reach(Reached.WORKER_DIED);
        List<Call> lost = List.copyOf(open);
        int batches = (int) lost.stream().map(call -> call.request.batchId()).distinct().count();
        coverage.reachIf(batches > 1, Reached.WORKER_DIED_WITH_SEVERAL_CALLS);
        trace.say("%s: the worker dies with %d batches: %s", owner, batches, why);
        lost.forEach(call -> caller.mayFail(call.rows()));
        CompletableFuture<Void> next = new CompletableFuture<>();
        ready = next;
        if (!scenario.restartable) {
            // Nobody completes it: there will not be another worker.
            caller.mayEnd(Reached.TASK_FAILED_BY_ITS_WORKER);
            context.failTask(new IllegalStateException("the worker died"));
            return;
        }
        if (!scenario.contained) {
            caller.mayEnd(Reached.TASK_FAILED_BY_ITS_WORKER);
        }
        lost.forEach(call -> call.end(lost(batches)));
        long micros = 1 + choices.below((int) (2 * scenario.restartMicros));
        time.in(
                micros,
                owner + ": there is a worker again",
                () -> {
                    isUp = true;
                    note();
                    next.complete(null);
                });
    }

    private static BatchOutcome<Integer> lost(int batches) {
        return BatchOutcome.workerLost(new IllegalStateException("killed"), batches);
    }

    @Override
    public CompletionStage<Void> ready() {
        return ready;
    }

    @Override
    public boolean replace(String why) {
        if (!scenario.restartable) {
            return false;
        }
        coverage.reach(Reached.WORKER_REPLACED_FOR_SILENCE);
        int silent = worker;
        time.in(
                1 + choices.below((int) Scenario.MILLI),
                owner + ": a silent worker is killed",
                () -> {
                    if (worker == silent) {
                        die(why);
                    }
                });
        return true;
    }

    @Override
    public void close() {
        closed = true;
    }

    // ------------------------------------------------------------------ facts

    private void note() {
        busyUntilMicros = Math.max(busyUntilMicros, time.micros());
    }

    /** Rows with calls that count as under way for who made them, as they may bring news. */
    Set<List<Integer>> underWay() {
        return open.stream()
                .filter(call -> call.counts(false))
                .map(Call::rows)
                .collect(Collectors.toSet());
    }

    /**
     * Those of them that ask the backend, and not what to do without it.
     *
     * @param withoutNews whether those count too that have told of all their rows
     */
    int calling(boolean withoutNews) {
        return (int)
                open.stream()
                        .filter(call -> call.counts(withoutNews) && !call.isForTimeout())
                        .count();
    }

    long longestDelayMicros() {
        return longestDelayMicros;
    }

    /** When something was last under way here or had to be waited for; now if it still is. */
    long busyUntilMicros() {
        if (!isUp || open.stream().anyMatch(call -> call.counts(true))) {
            note();
        }
        return busyUntilMicros;
    }
}
