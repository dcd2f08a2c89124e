package io.asyncbatch.flink.simulation;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.OnFailure;
import io.asyncbatch.flink.operator.BatchSettings;
import io.asyncbatch.flink.operator.BatchSettings.OutputMode;
import io.asyncbatch.flink.operator.OperatorHarness;
import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.stream.Stream;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.Counter;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.runtime.event.WatermarkEvent;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.LatencyMarker;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributesBuilder;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;
import org.apache.flink.util.function.ThrowingRunnable;

/**
 * One life of an operator and what is around it: its task's mailbox and timers, its invoker, what
 * it was given and what left it. Used by one thread.
 */
final class SimulatedSubtask implements SimulatedInvoker.Caller {

    /** What a subtask needs of the job it is a part of. */
    interface Job extends SimulatedMailbox.World {

        boolean takeFault();

        boolean isHealed();

        /** Calls of all subtasks, which share a backend. */
        int callsOfSharedBackend();
    }

    private static final long RULE_OF_ROUNDING = 2 * Scenario.MILLI;

    /**
     * A window of a retry budget, a pause of a breaker, or what a backend asks for is over then.
     */
    private static final long LONGEST_PAUSE = 13 * Scenario.SECOND;

    private final String name;
    private final Scenario scenario;
    private final BatchSettings settings;
    private final Job job;
    private final Choices choices;
    private final VirtualTime time;
    private final Trace trace;
    private final Coverage coverage;
    private final SimulatedMailbox mailbox;
    private final SimulatedTimers timers;
    private final SimulatedInvoker invoker;
    private final Ledger ledger;
    private final OperatorHarness<Integer> operator;

    private boolean isEnding;
    private boolean hasEnded;
    private boolean isOver;
    private boolean mayEnd;
    private long freedMicros;

    SimulatedSubtask(
            int index,
            int parallelism,
            Scenario scenario,
            Job job,
            Choices choices,
            VirtualTime time,
            Trace trace,
            Coverage coverage)
            throws Exception {
        this.name = "subtask " + index;
        this.scenario = scenario;
        this.settings = scenario.settings();
        this.job = job;
        this.choices = choices;
        this.time = time;
        this.trace = trace;
        this.coverage = coverage;
        this.mailbox = new SimulatedMailbox(name, job, trace);
        this.timers = new SimulatedTimers(name, time, mailbox);
        this.invoker = new SimulatedInvoker(name, scenario, choices, time, trace, coverage, this);
        OnFailure onFailure = settings.failureHandling().onFailure();
        this.ledger =
                new Ledger(
                        settings.outputMode() == OutputMode.ORDERED,
                        scenario.coalesces(),
                        onFailure != OnFailure.SKIP);
        if (settings.overload().whenOpen().name().startsWith("FAIL")) {
            ledger.anyMayFail();
            mayEnd = onFailure == OnFailure.FAIL;
        }
        this.operator =
                new OperatorHarness<>(
                        settings,
                        Types.INT,
                        invoker,
                        Rows::bytesOf,
                        scenario.grouping,
                        new Task(),
                        index,
                        parallelism,
                        new Configuration());
        operator.environment().setExpectedExternalFailureCause(Throwable.class);
    }

    // ------------------------------------------------------------------- life

    void open(OperatorSubtaskState state, List<SavedElement<Integer, Integer>> elements) {
        ledger.restore(
                elements, time.micros(), settings.failureHandling().onFailure() == OnFailure.FAIL);
        long rows = elements.stream().filter(SavedElement.Input.class::isInstance).count();
        coverage.reachIf(
                rows > (long) settings.capacity() * settings.batchSize(),
                Reached.RESTORED_MORE_THAN_CAPACITY);
        act(
                () -> {
                    if (state != null) {
                        operator.flink().initializeState(state);
                    }
                    operator.flink().open();
                });
    }

    /** Does something in the task, whose failure is the task's. */
    private void act(ThrowingRunnable<Exception> action) {
        try {
            action.run();
        } catch (Exception failure) {
            throw new TaskFailed(failure);
        }
        checkThatItGoesOn();
        check();
    }

    /** Some failures are told to the task, and not thrown in it. */
    void checkThatItGoesOn() {
        operator.environment()
                .getActualExternalFailureCause()
                .ifPresent(
                        cause -> {
                            throw new TaskFailed(cause);
                        });
    }

    void row(int row) {
        ledger.rowComes(row, time.micros());
        trace.say("%s: row %d comes", name, row);
        long before = time.micros();
        act(() -> operator.flink().processElement(new StreamRecord<>(row, Rows.numberOf(row))));
        coverage.reachIf(time.micros() > before, Reached.INPUT_HELD);
    }

    void watermark(long timestamp) {
        ledger.watermarkComes(timestamp);
        trace.say("%s: watermark %d comes", name, timestamp);
        act(() -> operator.flink().processWatermark(new Watermark(timestamp)));
    }

    void status(boolean idle) {
        ledger.statusComes(idle);
        trace.say("%s: %s comes", name, idle ? "idle" : "active");
        act(
                () ->
                        operator.flink()
                                .processWatermarkStatus(
                                        idle ? WatermarkStatus.IDLE : WatermarkStatus.ACTIVE));
    }

    void attributes(boolean backlog) {
        ledger.attributesCome(backlog);
        trace.say("%s: backlog %s comes", name, String.valueOf(backlog));
        RecordAttributes attributes =
                new RecordAttributesBuilder(List.of()).setBacklog(backlog).build();
        act(() -> operator.flink().processRecordAttributes(attributes));
    }

    void runMail() {
        act(mailbox::runMail);
    }

    OperatorSubtaskState snapshot(long checkpoint) {
        trace.say("%s: barrier %d", name, checkpoint);
        coverage.reachIf(
                !invoker.underWay().isEmpty(), Reached.CHECKPOINT_WHILE_A_CALL_IS_UNDER_WAY);
        long before = time.micros();
        OperatorSubtaskState[] state = new OperatorSubtaskState[1];
        act(
                () -> {
                    operator.flink().prepareSnapshotPreBarrier(checkpoint);
                    state[0] = operator.flink().snapshot(checkpoint, checkpoint);
                });
        coverage.reachIf(time.micros() > before, Reached.BARRIER_THAT_DRAINS_WAITED);
        return state[0];
    }

    /** Returns when all that came has left. */
    void endInput() {
        trace.say("%s: the input ends", name);
        isEnding = true;
        act(operator.flink()::endInput);
        trace.say("%s: has ended", name);
        hasEnded = true;
        ledger.isComplete();
        checkMetricsAtTheEnd();
        act(() -> operator.flink().getOneInputOperator().finish());
    }

    /** Whatever still happens to it has no effect from then on. */
    void close() throws Exception {
        if (isOver) {
            return;
        }
        isOver = true;
        mailbox.close();
        operator.close();
        for (var metric : operator.metrics().entrySet()) {
            if (metric.getValue() instanceof Counter counter && isOurs(metric.getKey())) {
                coverage.count(metric.getKey(), counter.getCount());
            }
        }
        assertThat(timers.active()).as("timers of %s after its end", name).isZero();
        if (hasOverload()) {
            assertThat(operator.gauge("callsInFlight")).as("permits after its end").isEqualTo(0);
            checkThatEachHedgeEnded();
        }
    }

    private void checkThatEachHedgeEnded() {
        long ended =
                Stream.of("hedgesWon", "hedgesTookOver", "hedgesFailed", "hedgesDropped")
                        .mapToLong(operator::counter)
                        .sum();
        assertThat(ended)
                .as("second calls of %s that ended, as metrics say", name)
                .isEqualTo(operator.counter("hedgesSent"));
    }

    /** Of a broken invoker no rows fail, but the task. */
    private static boolean isOurs(String counter) {
        return !counter.startsWith("num")
                && !counter.equals("initializationTime")
                && !counter.equals("rowsFailedByInvoker");
    }

    // ----------------------------------------------------------------- checks

    private boolean hasOverload() {
        return !settings.overload().isNone();
    }

    private void check() {
        long inflight = (Integer) operator.gauge("inflightBatches");
        if (scenario.grouping.isOfNeighbours()) {
            assertThat(inflight).as("batches in flight").isBetween(0L, (long) settings.capacity());
        }
        coverage.reachIf(inflight > settings.capacity(), Reached.MORE_THAN_CAPACITY_HELD);
        if (inflight == 0) {
            assertThat(operator.gauge("inflightRecords")).as("rows in flight").isEqualTo(0L);
            assertThat(operator.gauge("inflightBytes")).as("bytes in flight").isEqualTo(0L);
        }
        if (hasOverload()) {
            int state = (Integer) operator.gauge("circuitBreakerState");
            coverage.reachIf(state == 1, Reached.BREAKER_OPENED);
            coverage.reachIf(state == 2, Reached.BREAKER_HALF_OPENED);
            if (!mailbox.hasMail()) {
                assertThat(callsInFlight())
                        .as("permits of %s", name)
                        .isBetween(invoker.calling(false), invoker.calling(true));
            }
        }
    }

    private void checkMetricsAtTheEnd() {
        for (String gauge : List.of("inflightBatches", "pendingOrderedBatches", "followingRows")) {
            assertThat(operator.gauge(gauge)).as(gauge).isEqualTo(0);
        }
        if (hasOverload()) {
            assertThat(operator.gauge("callsInFlight")).as("permits").isEqualTo(0);
        }
        assertThat(operator.counter("totalRecordsProcessed") + operator.counter("coalescedRows"))
                .as("rows computed and coalesced, as metrics say")
                .isEqualTo(ledger.computed());
        long failed =
                operator.metrics().keySet().stream()
                        .filter(counter -> counter.startsWith("rowsFailedBy"))
                        .mapToLong(operator::counter)
                        .sum();
        assertThat(failed).as("rows that failed, as metrics say").isEqualTo(ledger.failed());
    }

    /** Nothing will happen but by time that passes. Whoever waits then must wait for a reason. */
    void checkThatItMayWait() {
        if (isOver || hasEnded) {
            return;
        }
        long patience = RULE_OF_ROUNDING + (hasOverload() ? LONGEST_PAUSE : 0);
        // The delay of a retry begins when the answer is heard, which may be after it came.
        long busyUntil =
                Math.max(invoker.busyUntilMicros(), freedMicros + invoker.longestDelayMicros());
        if (mailbox.waitsInVain()) {
            assertThat(time.micros() - busyUntil)
                    .as("microseconds for which %s has waited for nothing", name)
                    .isLessThanOrEqualTo(patience);
            return;
        }
        if (isHeld()) {
            return;
        }
        long forming = longestFormingMicros();
        OptionalLong oldest = ledger.oldestMicros();
        if (forming != Long.MAX_VALUE && oldest.isPresent()) {
            long since = Math.max(busyUntil, oldest.getAsLong());
            assertThat(time.micros() - since)
                    .as("microseconds for which a row of %s has waited for nothing", name)
                    .isLessThanOrEqualTo(forming + patience);
        }
    }

    private long longestFormingMicros() {
        if (settings.closesByProcessingTime()) {
            return settings.batchTimeoutMillis() * Scenario.MILLI;
        }
        return settings.hasLatencyTarget()
                ? settings.latencyTargetMillis() * Scenario.MILLI
                : Long.MAX_VALUE;
    }

    /** It may have waited until then for its thread, or for what another subtask had. */
    void couldNotGoOnUntil(long micros) {
        freedMicros = Math.max(freedMicros, micros);
    }

    // ----------------------------------------------------- what its calls say

    @Override
    public void begins(List<Integer> rows) {
        assertThat(isOver).as("a call of a task that has ended").isFalse();
        assertThat(rows.size()).as("rows of a call").isBetween(1, settings.batchSize());
        rows.forEach(ledger::isCalledFor);
        assertThat(rows).as("rows of a call").doesNotHaveDuplicates();
        assertThat(rows.size() == 1 || sum(rows, true) <= settings.maxBatchBytes())
                .as("bytes of a call for %s", rows)
                .isTrue();
        assertThat(rows.size() == 1 || sum(rows, false) <= scenario.grouping.getMaxBatchWeight())
                .as("weight of a call for %s", rows)
                .isTrue();
        Set<List<Integer>> underWay = invoker.underWay();
        underWay.remove(rows);
        assertThat(underWay)
                .as("rows under way before some more")
                .hasSizeLessThan(settings.capacity());
        if (settings.overload().concurrency() != null) {
            int limit = (Integer) operator.gauge("concurrencyLimit");
            int inFlight =
                    settings.overload().backend() == null
                            ? callsInFlight()
                            : job.callsOfSharedBackend();
            assertThat(inFlight).as("calls in flight").isLessThanOrEqualTo(limit);
            coverage.reachIf(inFlight == limit, Reached.LIMIT_OF_CALLS_REACHED);
        }
    }

    private long sum(List<Integer> rows, boolean bytes) {
        return rows.stream().mapToLong(row -> bytes ? Rows.bytesOf(row) : Rows.weightOf(row)).sum();
    }

    @Override
    public boolean hedges() {
        return settings.overload().hedging() != null;
    }

    @Override
    public void mayFail(List<Integer> rows) {
        ledger.mayFail(rows);
    }

    @Override
    public void mayEnd(Reached how) {
        mayEnd = true;
        coverage.reach(how);
    }

    @Override
    public boolean takeFault() {
        return job.takeFault();
    }

    @Override
    public boolean isHealed() {
        return job.isHealed();
    }

    // ------------------------------------------------------------------ facts

    Ledger ledger() {
        return ledger;
    }

    SimulatedInvoker invoker() {
        return invoker;
    }

    SimulatedMailbox mailbox() {
        return mailbox;
    }

    int callsInFlight() {
        return hasOverload() ? (Integer) operator.gauge("callsInFlight") : 0;
    }

    boolean isHeld() {
        return mailbox.isWaitedIn();
    }

    boolean isEnding() {
        return isEnding;
    }

    boolean hasEnded() {
        return hasEnded;
    }

    /** Whether something went wrong for which the task may have ended. */
    boolean mayHaveEnded() {
        return mayEnd;
    }

    // ------------------------------------------------------------ what it has

    private final class Task implements OperatorHarness.Task<Integer> {

        @Override
        public MailboxExecutor mailbox(MailboxExecutor ofHarness) {
            return mailbox;
        }

        @Override
        public ProcessingTimeService timers() {
            return timers;
        }

        @Override
        public Output<StreamRecord<Integer>> output(Output<StreamRecord<Integer>> ofHarness) {
            return new Downstream();
        }
    }

    /** What follows the operator: it writes down what comes, and fails now and then. */
    private final class Downstream implements Output<StreamRecord<Integer>> {

        @Override
        public void collect(StreamRecord<Integer> row) {
            leaves("row %d with result %d", row.getTimestamp(), row.getValue());
            if (choices.chance(scenario.downstreamFailures) && takeFault()) {
                mayEnd(Reached.TASK_FAILED_DOWNSTREAM);
                throw new IllegalStateException("planted downstream");
            }
            ledger.resultLeaves(row.getValue(), row.getTimestamp());
        }

        @Override
        public <X> void collect(OutputTag<X> tag, StreamRecord<X> letter) {
            int row = (Integer) ((Row) letter.getValue()).getField(0);
            leaves("dead letter of row %d", row);
            ledger.letterLeaves(row, letter.getTimestamp());
        }

        @Override
        public void emitWatermark(Watermark mark) {
            leaves("watermark %d", mark.getTimestamp());
            ledger.watermarkLeaves(mark.getTimestamp());
        }

        @Override
        public void emitWatermarkStatus(WatermarkStatus status) {
            leaves(status.isIdle() ? "idle" : "active");
            ledger.statusLeaves(status.isIdle());
        }

        @Override
        public void emitRecordAttributes(RecordAttributes attributes) {
            leaves("backlog " + attributes.isBacklog());
            ledger.attributesLeave(attributes.isBacklog());
        }

        @Override
        public void emitLatencyMarker(LatencyMarker marker) {
            throw new AssertionError("nobody sent a latency marker");
        }

        @Override
        public void emitWatermark(WatermarkEvent event) {
            throw new AssertionError("nobody sent a generalized watermark");
        }

        @Override
        public void close() {}

        private void leaves(String format, Object... details) {
            assertThat(isOver).as("something left a task that has ended").isFalse();
            trace.say(name + ":   leaves: " + format, details);
        }
    }
}
