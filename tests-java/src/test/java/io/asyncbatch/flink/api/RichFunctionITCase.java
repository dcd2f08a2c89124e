package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.RichAsyncBatchFunction;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.metrics.Counter;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The life of a rich function, and what its context offers. */
@Timeout(120)
class RichFunctionITCase {

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(1);

    @BeforeEach
    void forget() {
        Observed.LIFE.clear();
    }

    @ParameterizedTest
    @EnumSource
    void opensBeforeItsFirstBatchAndClosesAfterItsLast(Ordering ordering) throws Exception {
        ordering.assertResults(
                Jobs.collect(
                        ordering.apply(
                                Jobs.numbers(1, 3), new Observed(), Jobs.batchesOf(2).build())),
                List.of("1 in call 1", "2 in call 1", "3 in call 2"));
        assertThat(Observed.LIFE).containsExactly("open", "call", "call", "close");
    }

    @ParameterizedTest
    @EnumSource
    void closesAlsoWhenItFails(Ordering ordering) {
        Jobs.assertFailsWith(
                "the last straw",
                ordering.apply(
                        Jobs.numbers(1, 1),
                        new Observed() {
                            @Override
                            public void asyncInvokeBatch(
                                    List<Long> rows, ResultFuture<String> future) {
                                throw new IllegalStateException("the last straw");
                            }
                        },
                        Jobs.batchesOf(1).build()));
        assertThat(Observed.LIFE).containsExactly("open", "close");
    }

    @Test
    void knowsItsTask() throws Exception {
        assertThat(
                        Jobs.collect(
                                        Ordering.ORDERED
                                                .apply(
                                                        Jobs.numbers(1, 1),
                                                        new RichAsyncBatchFunction<Long, String>() {
                                                            @Override
                                                            public void asyncInvokeBatch(
                                                                    List<Long> rows,
                                                                    ResultFuture<String> future) {
                                                                RuntimeContext context =
                                                                        getRuntimeContext();
                                                                future.complete(
                                                                        List.of(
                                                                                context.getTaskInfo()
                                                                                                .getTaskNameWithSubtasks()
                                                                                        + " of "
                                                                                        + context.getJobInfo()
                                                                                                .getJobName()));
                                                            }
                                                        },
                                                        Jobs.batchesOf(1).build())
                                                .name("judge"))
                                .get(0))
                .contains("judge", "(1/1)#0 of ");
    }

    /** They belong to the task's thread and to keys, neither of which a call has. */
    @Test
    void hasNoState() {
        Jobs.assertFailsWith(
                "State is not supported in rich async functions",
                Ordering.UNORDERED.apply(
                        Jobs.numbers(1, 1),
                        new Observed() {
                            @Override
                            public void open(OpenContext context) {
                                getRuntimeContext()
                                        .getState(new ValueStateDescriptor<>("s", Types.LONG));
                            }
                        },
                        Jobs.batchesOf(1).build()));
    }

    /** Notes what happens to it. */
    private static class Observed extends RichAsyncBatchFunction<Long, String> {

        static final List<String> LIFE = new CopyOnWriteArrayList<>();

        private transient Counter calls;

        @Override
        public void open(OpenContext context) {
            LIFE.add("open");
            calls = getRuntimeContext().getMetricGroup().counter("calls");
        }

        @Override
        public void asyncInvokeBatch(List<Long> rows, ResultFuture<String> future) {
            LIFE.add("call");
            calls.inc();
            long call = calls.getCount();
            future.complete(rows.stream().map(row -> row + " in call " + call).toList());
        }

        @Override
        public void close() {
            LIFE.add("close");
        }
    }
}
