package io.asyncbatch.flink.operator;

import io.asyncbatch.flink.DeadLetters;
import io.asyncbatch.flink.RowGrouping;
import io.asyncbatch.flink.operator.buffer.RowWeigher;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.Metric;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;
import org.apache.flink.streaming.api.operators.Output;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.RecordAttributes;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.ProcessingTimeService;
import org.apache.flink.streaming.runtime.tasks.mailbox.Mail;
import org.apache.flink.streaming.runtime.tasks.mailbox.TaskMailbox;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;
import org.apache.flink.streaming.util.OneInputStreamOperatorTestHarness;
import org.apache.flink.traces.Span;
import org.apache.flink.types.Row;
import org.apache.flink.util.function.ThrowingRunnable;

/**
 * An operator under test with its fake invoker, manual clock and mailbox, all driven by the test's
 * thread. Each row's value times ten is its result.
 */
final class OperatorRig<T> implements AutoCloseable {

    final FakeInvoker<T, T> invoker;
    private final TypeInformation<T> type;
    final ManualTimers timers = new ManualTimers();
    private final OperatorHarness<T> operator;
    final OneInputStreamOperatorTestHarness<T, T> harness;
    final Map<String, Metric> metrics;
    final List<Span> spans;
    private MailboxExecutor mailbox;

    private OperatorRig(
            BatchSettings settings,
            TypeInformation<T> type,
            Function<T, T> compute,
            RowWeigher<T> weigher,
            RowGrouping<T> grouping,
            int subtask,
            int parallelism,
            Configuration configuration)
            throws Exception {
        this.invoker = new FakeInvoker<>(compute);
        this.type = type;
        this.operator =
                new OperatorHarness<>(
                        settings,
                        type,
                        invoker,
                        weigher,
                        grouping,
                        new TaskWithManualTimers(),
                        subtask,
                        parallelism,
                        configuration);
        this.harness = operator.flink();
        this.metrics = operator.metrics();
        this.spans = operator.spans();
    }

    static OperatorRig<Integer> create(Settings settings) throws Exception {
        return create(settings.build(), 0, 1);
    }

    static OperatorRig<Integer> create(BatchSettings settings, int subtask, int parallelism)
            throws Exception {
        return create(settings, RowGrouping.none(), subtask, parallelism);
    }

    static OperatorRig<Integer> create(
            BatchSettings settings, RowGrouping<Integer> grouping, int subtask, int parallelism)
            throws Exception {
        return new OperatorRig<>(
                settings,
                Types.INT,
                value -> value * 10,
                value -> value,
                grouping,
                subtask,
                parallelism,
                new Configuration());
    }

    static OperatorRig<Integer> create(BatchSettings settings, RowWeigher<Integer> weigher)
            throws Exception {
        return create(settings, weigher, RowGrouping.none());
    }

    static OperatorRig<Integer> create(
            BatchSettings settings, RowWeigher<Integer> weigher, RowGrouping<Integer> grouping)
            throws Exception {
        return new OperatorRig<>(
                settings,
                Types.INT,
                value -> value * 10,
                weigher,
                grouping,
                0,
                1,
                new Configuration());
    }

    static <T> OperatorRig<T> create(
            Settings settings, TypeInformation<T> type, Function<T, T> compute) throws Exception {
        return create(settings, type, compute, RowGrouping.none());
    }

    static <T> OperatorRig<T> create(
            Settings settings,
            TypeInformation<T> type,
            Function<T, T> compute,
            RowGrouping<T> grouping)
            throws Exception {
        return new OperatorRig<>(
                settings.build(), type, compute, row -> 1, grouping, 0, 1, new Configuration());
    }

    /** A running operator without state, of a TaskManager with this configuration. */
    static OperatorRig<Integer> open(Settings settings, Configuration configuration)
            throws Exception {
        return new OperatorRig<>(
                        settings.build(),
                        Types.INT,
                        value -> value * 10,
                        value -> value,
                        RowGrouping.none(),
                        0,
                        1,
                        configuration)
                .opened();
    }

    /** A running operator without state. */
    static OperatorRig<Integer> open(Settings settings) throws Exception {
        return create(settings).opened();
    }

    /** A running operator without state that looks at what is in rows. */
    static OperatorRig<Integer> open(Settings settings, RowGrouping<Integer> grouping)
            throws Exception {
        return create(settings.build(), grouping, 0, 1).opened();
    }

    /** A running operator that goes on from a snapshot. */
    static OperatorRig<Integer> restore(Settings settings, OperatorSubtaskState state)
            throws Exception {
        OperatorRig<Integer> rig = create(settings);
        rig.harness.initializeState(state);
        return rig.opened();
    }

    OperatorRig<T> opened() throws Exception {
        harness.open();
        return this;
    }

    // ----------------------------------------------------------------- input

    @SafeVarargs
    final OperatorRig<T> rows(T... values) throws Exception {
        for (T value : values) {
            harness.processElement(new StreamRecord<>(value));
        }
        return this;
    }

    OperatorRig<T> row(T value, long timestamp) throws Exception {
        harness.processElement(new StreamRecord<>(value, timestamp));
        return this;
    }

    OperatorRig<T> watermark(long timestamp) throws Exception {
        harness.processWatermark(timestamp);
        return this;
    }

    /** Ends the input after the invoker was told to answer at once, so that nothing blocks. */
    void finish() throws Exception {
        invoker.answersAtOnce = true;
        invoker.invocations.stream()
                .filter(FakeInvoker.Call::isOpen)
                .forEach(call -> call.succeed());
        harness.endInput();
    }

    // ------------------------------------------------------------ mails, time

    /** Lets mails run until there are none, as the task does between two inputs. */
    OperatorRig<T> runMails() throws Exception {
        TaskMailbox taskMailbox = harness.getTaskMailbox();
        for (Optional<Mail> mail = taskMailbox.tryTake(TaskMailbox.MIN_PRIORITY);
                mail.isPresent();
                mail = taskMailbox.tryTake(TaskMailbox.MIN_PRIORITY)) {
            mail.get().run();
        }
        return this;
    }

    /** Runs one mail and says whether there was one. */
    boolean runMail() throws Exception {
        Optional<Mail> mail = harness.getTaskMailbox().tryTake(TaskMailbox.MIN_PRIORITY);
        if (mail.isPresent()) {
            mail.get().run();
        }
        return mail.isPresent();
    }

    /** Has the action run when the operator yields, or with the next mails. */
    OperatorRig<T> mail(ThrowingRunnable<Exception> action) {
        mailbox.execute(action, "action of the test");
        return this;
    }

    /** Runs an action that may wait for slots; while it does, the oldest invocations succeed. */
    void whileCompleting(ThrowingRunnable<Exception> action) throws Exception {
        whileYielding(
                action,
                () ->
                        invoker.invocations.stream()
                                .filter(FakeInvoker.Call::isOpen)
                                .findFirst()
                                .ifPresent(call -> call.succeed()));
    }

    /** Runs an action that may wait for slots; while it does, the other runs again and again. */
    void whileYielding(ThrowingRunnable<Exception> action, ThrowingRunnable<Exception> meanwhile)
            throws Exception {
        AtomicBoolean acting = new AtomicBoolean(true);
        mail(() -> repeat(acting, meanwhile));
        action.run();
        acting.set(false);
    }

    private void repeat(AtomicBoolean acting, ThrowingRunnable<Exception> meanwhile)
            throws Exception {
        if (acting.get()) {
            meanwhile.run();
            mail(() -> repeat(acting, meanwhile));
        }
    }

    /** Moves the clock and runs what is due. */
    OperatorRig<T> advance(long millis) throws Exception {
        timers.advance(millis);
        return runMails();
    }

    OperatorRig<T> succeed(int invocation) throws Exception {
        invoker.invocations.get(invocation).succeed();
        return runMails();
    }

    OperatorSubtaskState snapshot() throws Exception {
        return harness.snapshot(1L, 1L);
    }

    // ---------------------------------------------------------------- output

    /** All output so far: {@code value}, {@code value@timestamp}, {@code W:timestamp}, a status. */
    List<String> output() {
        List<String> output = new ArrayList<>();
        for (Object element : harness.getOutput()) {
            output.add(describe(element));
        }
        return output;
    }

    private static String describe(Object element) {
        if (element instanceof StreamRecord<?> record) {
            return record.hasTimestamp()
                    ? record.getValue() + "@" + record.getTimestamp()
                    : String.valueOf(record.getValue());
        } else if (element instanceof Watermark watermark) {
            return "W:" + watermark.getTimestamp();
        } else if (element instanceof WatermarkStatus status) {
            return status.isIdle() ? "IDLE" : "ACTIVE";
        } else if (element instanceof RecordAttributes attributes) {
            return "BACKLOG:" + attributes.isBacklog();
        }
        return element.getClass().getSimpleName();
    }

    /**
     * Dead letters so far: {@code input kind message attempts}, with the timestamp if it has one.
     */
    List<String> deadLetters() {
        List<String> letters = new ArrayList<>();
        var output = harness.getSideOutput(DeadLetters.tag(type));
        if (output != null) {
            for (StreamRecord<Row> record : output) {
                Row row = record.getValue();
                letters.add(
                        "%s %s %s %s"
                                        .formatted(
                                                row.getField(0),
                                                row.getField(1),
                                                row.getField(3),
                                                row.getField(4))
                                + (record.hasTimestamp() ? "@" + record.getTimestamp() : ""));
            }
        }
        return letters;
    }

    long counter(String name) {
        return operator.counter(name);
    }

    Object gauge(String name) {
        return operator.gauge(name);
    }

    Histogram histogram(String name) {
        return (Histogram) metrics.get(name);
    }

    @Override
    public void close() throws Exception {
        operator.close();
    }

    /** With the manual timers in place of the harness's, which are never late. */
    private final class TaskWithManualTimers implements OperatorHarness.Task<T> {

        @Override
        public MailboxExecutor mailbox(MailboxExecutor ofHarness) {
            mailbox = ofHarness;
            timers.setMailbox(mailbox);
            return mailbox;
        }

        @Override
        public ProcessingTimeService timers() {
            return timers;
        }

        @Override
        public Output<StreamRecord<T>> output(Output<StreamRecord<T>> ofHarness) {
            return ofHarness;
        }
    }
}
