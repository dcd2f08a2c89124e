package io.asyncbatch.flink.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.GpuResources;
import io.asyncbatch.flink.arrow.UnsupportedElementTypeException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PythonAsyncBatchTransformationTest {

    private final StreamExecutionEnvironment environment =
            StreamExecutionEnvironment.getExecutionEnvironment();

    private final DataStream<Long> numbers = environment.fromData(List.of(1L), Types.LONG);

    @Test
    void addsAnOperatorWithTheGivenNameAndType() {
        var stream = transformation().name("Classify").apply();
        assertThat(stream.getName()).isEqualTo("Classify");
        assertThat(stream.getType()).isEqualTo(Types.STRING);
        assertThat(environment.getStreamGraph(false).getJobGraph().getVertices()).isNotEmpty();
    }

    @Test
    void putsEachOperatorWithGpusIntoAGroupOfItsOwn() {
        GpuResources half = GpuResources.builder(0.5).build();
        var first = transformation().resources(half).apply().getTransformation();
        var second = transformation().resources(half).apply().getTransformation();
        assertThat(first.getSlotSharingGroup().orElseThrow().getExternalResources())
                .isEqualTo(Map.of("gpu", 0.5));
        assertThat(second.getSlotSharingGroup().orElseThrow().getName())
                .isNotEqualTo(first.getSlotSharingGroup().orElseThrow().getName());
        assertThat(transformation().apply().getTransformation().getSlotSharingGroup()).isEmpty();
    }

    @Test
    void refusesAnInputTypeByName() {
        TypeInformation<Locale> generic = Types.GENERIC(Locale.class);
        DataStream<Locale> locales = environment.fromData(List.of(Locale.ROOT), generic);
        assertThatThrownBy(() -> PythonAsyncBatchTransformation.of(locales, Types.LONG))
                .isInstanceOf(UnsupportedElementTypeException.class)
                .hasMessageContaining(Locale.class.getName());
    }

    @Test
    void refusesAnOutputTypeByName() {
        TypeInformation<Locale> generic = Types.GENERIC(Locale.class);
        assertThatThrownBy(() -> PythonAsyncBatchTransformation.of(numbers, generic))
                .isInstanceOf(UnsupportedElementTypeException.class)
                .hasMessageContaining(Locale.class.getName());
    }

    @Test
    void refusesBatchesThatAreLargerThanAFrame() {
        assertThatThrownBy(transformation().maxBatchBytes(101).maxFrameBytes(100)::apply)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("max_batch_bytes must be at most max_frame_bytes=100, got 101");
    }

    @Test
    void refusesABoundThatOneBatchMayPass() {
        assertThatThrownBy(
                        transformation().maxFrameBytes(5).maxBatchBytes(5).maxBytesInFlight(4)
                                ::apply)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("max_bytes_in_flight must be at least max_batch_bytes=5, got 4");
    }

    @ParameterizedTest
    @CsvSource({
        "batch_size, 0, 1, 1, 1, 1, 1",
        "timeout, 1, 0, 1, 1, 1, 1",
        "capacity, 1, 1, 0, 1, 1, 1",
        "max_batch_bytes, 1, 1, 1, 0, 1, 1",
        "open_timeout, 1, 1, 1, 1, 0, 1",
        "shared_memory_threshold, 1, 1, 1, 1, 1, 0",
    })
    void refusesWhatIsNotPositive(
            String option,
            int batchSize,
            long timeout,
            int capacity,
            long maxBatchBytes,
            long openTimeout,
            long sharedMemoryThreshold) {
        assertThatThrownBy(
                        transformation()
                                        .batchSize(batchSize)
                                        .timeoutMillis(timeout)
                                        .capacity(capacity)
                                        .maxBatchBytes(maxBatchBytes)
                                        .openTimeoutMillis(openTimeout)
                                        .sharedMemoryThreshold(sharedMemoryThreshold)
                                ::apply)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(option + " must be positive, got 0");
    }

    @Test
    void refusesOverloadOptionsThatContradictEachOther() {
        assertThatThrownBy(transformation().capacity(4).fixedConcurrency(5)::apply)
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("concurrency must be at most capacity=4, got 5");
        assertThatThrownBy(transformation().capacity(4).adaptiveConcurrency(1, 5, 0)::apply)
                .hasMessage("concurrency must be at most capacity=4, got 5");
        assertThatThrownBy(() -> transformation().adaptiveConcurrency(2, 3, 4))
                .hasMessage("initial concurrency must be at least 2 and at most 3, got 4");
        assertThatThrownBy(transformation().backend("gpu")::apply)
                .hasMessageStartingWith("backend='gpu' shares a concurrency");
        assertThatThrownBy(
                        transformation()
                                        .circuitBreaker(
                                                32,
                                                30_000,
                                                10,
                                                0.5,
                                                0,
                                                1,
                                                500,
                                                1_500,
                                                3,
                                                "FAIL_FAST")
                                ::apply)
                .hasMessageStartingWith("when_open=FAIL_FAST of the circuit breaker needs");
        assertThatThrownBy(() -> transformation().retryBudget(-1, 10))
                .hasMessage("retry budget must be a share between 0 and 1, got -1.0");
        assertThatThrownBy(() -> transformation().hedging(1, 10, 20))
                .hasMessage("percentile of hedging must be between 0.5 and 0.99, got 1.0");
        assertThatThrownBy(transformation().hedging(0.9, 10, 20)::apply)
                .hasMessageStartingWith("hedging needs a retry_budget");
    }

    @Test
    void takesAllOverloadOptionsTogether() {
        var stream =
                transformation()
                        .capacity(8)
                        .adaptiveConcurrency(2, 0, 3)
                        .backend("gpu")
                        .circuitBreaker(32, 30_000, 10, 0.5, 200, 0.8, 500, 1_500, 3, "FAIL_JOB")
                        .retryBudget(0.2, 5)
                        .timeoutMillis(100)
                        .hedging(0.9, 20, 30)
                        .apply();
        assertThat(stream.getType()).isEqualTo(Types.STRING);
        assertThat(environment.getStreamGraph(false).getJobGraph().getVertices()).isNotEmpty();
    }

    private PythonAsyncBatchTransformation<Long, String> transformation() {
        return PythonAsyncBatchTransformation.of(numbers, Types.STRING)
                .name("test")
                .function("Classify", new byte[] {1}, new byte[0])
                .outputMode("ORDERED")
                .batchSize(1)
                .timeoutMillis(1)
                .capacity(1)
                .maxBatchBytes(1)
                .maxFrameBytes(1)
                .openTimeoutMillis(1)
                .maxBytesInFlight(1_000)
                .sharedMemoryThreshold(1);
    }
}
