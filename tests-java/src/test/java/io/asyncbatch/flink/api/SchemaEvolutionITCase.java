package io.asyncbatch.flink.api;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.asyncbatch.flink.AsyncBatchFunction;
import java.lang.reflect.Field;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import javax.annotation.Nullable;
import javax.tools.ToolProvider;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.api.common.functions.MapFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.typeutils.PojoTypeInfo;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.PipelineOptions;
import org.apache.flink.configuration.StateRecoveryOptions;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.core.execution.SavepointFormatType;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.test.junit5.InjectMiniCluster;
import org.apache.flink.test.junit5.MiniClusterExtension;
import org.apache.flink.util.ExceptionUtils;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The class of the rows changes between a savepoint and the job that goes on from it. Each version
 * is compiled by the test and reaches the cluster as a user's jar does, by a class loader of its
 * own.
 */
@Timeout(120)
class SchemaEvolutionITCase {

    private static final long ROWS = 40;
    private static final int BATCH = 4;

    /** More than any id, so that a result tells both. */
    private static final long WEIGHT_UNIT = 1_000;

    @RegisterExtension static final MiniClusterExtension CLUSTER = Jobs.cluster(1);

    @TempDir Path directory;

    private MiniCluster cluster;

    @BeforeEach
    void begin(@InjectMiniCluster MiniCluster miniCluster) {
        cluster = miniCluster;
        CommittedRows.forget();
    }

    @ParameterizedTest
    @EnumSource
    void rowsInFlightGainAField(Ordering ordering) throws Exception {
        String savepoint = savepointWith(ordering, "public long id;");
        finish(ordering, "public long id; public int weight = 1; public String unit;", savepoint);

        ordering.assertResults(CommittedRows.all(), results(1));
    }

    @ParameterizedTest
    @EnumSource
    void rowsInFlightLoseAField(Ordering ordering) throws Exception {
        String savepoint = savepointWith(ordering, "public String unit = \"kg\"; public long id;");
        finish(ordering, "public long id;", savepoint);

        ordering.assertResults(CommittedRows.all(), results(0));
    }

    /** Anything but an error would be rows read wrong. */
    @Test
    void aFieldOfAnotherTypeIsRefused() throws Exception {
        String savepoint = savepointWith(Ordering.ORDERED, "public long id; public int weight;");
        Throwable failure =
                catchThrowable(
                        () ->
                                finish(
                                        Ordering.ORDERED,
                                        "public long id; public String weight;",
                                        savepoint));

        assertThat(ExceptionUtils.stringifyException(failure))
                .contains("Could not restore operator state backend for AsyncBatchWaitOperator");
    }

    private String savepointWith(Ordering ordering, String fields) throws Exception {
        HeldCalls.hold();
        GatedRows.letThrough(10);
        try (URLClassLoader version = compile("before", fields)) {
            JobClient job = start(ordering, version, null);
            await().until(() -> HeldCalls.started() == 2 && GatedRows.generated() == 10);
            Jobs.awaitRunning(cluster, job);
            String savepoint =
                    job.triggerSavepoint(directory.toString(), SavepointFormatType.CANONICAL).get();
            job.cancel().get();
            await().until(() -> job.getJobStatus().get() == JobStatus.CANCELED);
            return savepoint;
        }
    }

    private void finish(Ordering ordering, String fields, String savepoint) throws Exception {
        HeldCalls.release();
        GatedRows.letThrough(0);
        GatedRows.open();
        try (URLClassLoader version = compile("after", fields)) {
            start(ordering, version, savepoint).getJobExecutionResult().get();
        }
        assertThat(GatedRows.first()).as("first row that is not from the savepoint").isEqualTo(11);
    }

    private URLClassLoader compile(String version, String fields) throws Exception {
        Path source = directory.resolve(version).resolve("Reading.java");
        Files.createDirectories(source.getParent());
        Files.writeString(source, "public class Reading { " + fields + " }");
        assertThat(
                        ToolProvider.getSystemJavaCompiler()
                                .run(null, null, null, "-proc:none", source.toString()))
                .isZero();
        return new URLClassLoader(
                new URL[] {source.getParent().toUri().toURL()}, getClass().getClassLoader());
    }

    @SuppressWarnings("unchecked") // of a class that this one cannot name
    private static JobClient start(
            Ordering ordering, URLClassLoader version, @Nullable String savepoint)
            throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(PipelineOptions.CLASSPATHS, List.of(version.getURLs()[0].toString()));
        if (savepoint != null) {
            configuration.set(StateRecoveryOptions.SAVEPOINT_PATH, savepoint);
        }
        StreamExecutionEnvironment env = Jobs.environment(configuration);
        env.enableCheckpointing(50);
        Class<?> reading = version.loadClass("Reading");
        TypeInformation<Object> type = (TypeInformation<Object>) TypeInformation.of(reading);
        assertThat(type).isInstanceOf(PojoTypeInfo.class);
        ordering.apply(
                        GatedRows.source(env, ROWS)
                                .map(new ToReading(reading))
                                .returns(type)
                                .uid("readings"),
                        new HeldWeighing(),
                        Jobs.batchesOf(BATCH).build())
                .returns(Types.LONG)
                .uid("batches")
                .sinkTo(new CommittedRows())
                .uid("sink");
        return env.executeAsync();
    }

    private static List<Long> results(long weight) {
        return LongStream.rangeClosed(1, ROWS)
                .map(id -> (id + weight * WEIGHT_UNIT) * 10)
                .boxed()
                .toList();
    }

    private static final class ToReading implements MapFunction<Long, Object> {

        private final Class<?> reading;

        private ToReading(Class<?> reading) {
            this.reading = reading;
        }

        @Override
        public Object map(Long id) throws Exception {
            Object row = reading.getConstructor().newInstance();
            reading.getField("id").set(row, id);
            return row;
        }
    }

    /** Answers, when it may, with the fields that the rows' class has now. */
    private static final class HeldWeighing implements AsyncBatchFunction<Object, Long> {

        @Override
        public void asyncInvokeBatch(List<Object> rows, ResultFuture<Long> future)
                throws Exception {
            List<Long> values = new ArrayList<>();
            for (Object row : rows) {
                long id = row.getClass().getField("id").getLong(row);
                long weight = 0;
                for (Field field : row.getClass().getFields()) {
                    if (field.getName().equals("weight")) {
                        weight = field.getLong(row);
                    }
                }
                values.add(id + weight * WEIGHT_UNIT);
            }
            new HeldCalls().asyncInvokeBatch(values, future);
        }
    }
}
