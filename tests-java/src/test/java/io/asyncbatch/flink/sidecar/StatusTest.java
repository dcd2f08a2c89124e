package io.asyncbatch.flink.sidecar;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.UnknownFieldSet;
import com.google.protobuf.UnknownFieldSet.Field;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.flink.util.InstantiationUtil;
import org.apache.flink.util.SerializedThrowable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What the statuses that a server answers with become. */
@Timeout(60)
class StatusTest {

    private static final Map<Status.Code, Kind> KINDS = new EnumMap<>(Status.Code.class);

    static {
        KINDS.put(Status.Code.CANCELLED, Kind.UNAVAILABLE);
        KINDS.put(Status.Code.UNKNOWN, Kind.INTERNAL);
        KINDS.put(Status.Code.INVALID_ARGUMENT, Kind.INVALID_TENSOR);
        KINDS.put(Status.Code.DEADLINE_EXCEEDED, Kind.DEADLINE_EXCEEDED);
        KINDS.put(Status.Code.NOT_FOUND, Kind.MODEL_NOT_FOUND);
        KINDS.put(Status.Code.ALREADY_EXISTS, Kind.INTERNAL);
        KINDS.put(Status.Code.PERMISSION_DENIED, Kind.ACCESS_DENIED);
        KINDS.put(Status.Code.RESOURCE_EXHAUSTED, Kind.OVERLOADED);
        KINDS.put(Status.Code.FAILED_PRECONDITION, Kind.INTERNAL);
        KINDS.put(Status.Code.ABORTED, Kind.UNAVAILABLE);
        KINDS.put(Status.Code.OUT_OF_RANGE, Kind.INVALID_TENSOR);
        KINDS.put(Status.Code.UNIMPLEMENTED, Kind.INTERNAL);
        KINDS.put(Status.Code.INTERNAL, Kind.INTERNAL);
        KINDS.put(Status.Code.UNAVAILABLE, Kind.UNAVAILABLE);
        KINDS.put(Status.Code.DATA_LOSS, Kind.INTERNAL);
        KINDS.put(Status.Code.UNAUTHENTICATED, Kind.ACCESS_DENIED);
    }

    private static final Map<Kind, Class<? extends SidecarException>> CLASSES =
            Map.of(
                    Kind.UNAVAILABLE, SidecarException.Unavailable.class,
                    Kind.MODEL_NOT_FOUND, SidecarException.ModelNotFound.class,
                    Kind.INVALID_TENSOR, SidecarException.InvalidTensor.class,
                    Kind.OVERLOADED, SidecarException.Overloaded.class,
                    Kind.OUT_OF_MEMORY, SidecarException.OutOfMemory.class,
                    Kind.DEADLINE_EXCEEDED, SidecarException.DeadlineExceeded.class,
                    Kind.ACCESS_DENIED, SidecarException.AccessDenied.class,
                    Kind.INTERNAL, SidecarException.Internal.class);

    private MockSidecar server;
    private ClientRig rig;

    @BeforeEach
    void open() throws Exception {
        server = MockSidecar.onTcp();
        rig = ClientRig.open(server.options());
    }

    @AfterEach
    void close() throws Exception {
        rig.close();
        server.close();
    }

    static Stream<Status.Code> failures() {
        return EnumSet.complementOf(EnumSet.of(Status.Code.OK)).stream();
    }

    @ParameterizedTest
    @MethodSource("failures")
    void everyStatusIsOneOfOurFailures(Status.Code code) {
        SidecarException failure = failure(code.toStatus().withDescription("why"), Map.of());
        Kind kind = KINDS.get(code);
        assertThat(failure).isExactlyInstanceOf(CLASSES.get(kind));
        assertThat(failure.kind()).isEqualTo(kind);
        assertThat(failure.isRetryable()).isEqualTo(kind.isRetryable());
        assertThat(failure.retryAfter()).isEmpty();
        assertThat(failure)
                .hasMessageContaining("model 'times-ten' at " + server.endpoint())
                .hasMessageContaining(code + ": why");
        assertThat(rig.metrics.entrySet())
                .filteredOn(metric -> metric.getKey().startsWith("requestsFailedBy"))
                .filteredOn(metric -> rig.counter(metric.getKey()) == 1)
                .hasSize(1);
    }

    @ParameterizedTest
    @CsvSource({
        "OUT_OF_MEMORY, OUT_OF_MEMORY",
        "OVERLOADED, OVERLOADED",
        "MODEL_NOT_FOUND, MODEL_NOT_FOUND",
        "INVALID_TENSOR, INVALID_TENSOR",
        "DEADLINE_EXCEEDED, DEADLINE_EXCEEDED",
        "INTERNAL, INTERNAL",
        "UNAVAILABLE, UNAVAILABLE",
        "SOMETHING_ELSE, OVERLOADED"
    })
    void ourServersSayItMoreExactly(String error, Kind kind) {
        assertThat(failure(Status.RESOURCE_EXHAUSTED, Map.of("asyncbatch-error", error)).kind())
                .isEqualTo(kind);
    }

    @ParameterizedTest
    @CsvSource({
        "250, true, 250",
        "0, true, 0",
        "-1, false, ",
        "soon, false, ",
        "1e3, false, ",
        "99999999999999999999, false, ",
        "9223372036854775807, true, 600000"
    })
    void theServerSaysWhenToComeBack(String pushback, boolean retryable, Long millis) {
        SidecarException failure =
                failure(Status.RESOURCE_EXHAUSTED, Map.of("grpc-retry-pushback-ms", pushback));
        assertThat(failure.isRetryable()).isEqualTo(retryable);
        assertThat(failure.retryAfter().map(Duration::toMillis).orElse(null)).isEqualTo(millis);
    }

    /** Pushback says when, not whether the request is any better then. */
    @Test
    void aRequestThatIsWrongStaysWrong() {
        assertThat(
                        failure(Status.INVALID_ARGUMENT, Map.of("grpc-retry-pushback-ms", "5"))
                                .isRetryable())
                .isFalse();
    }

    @ParameterizedTest
    @CsvSource({"1, 500000000, 1500", "0, 0, 0", "-1, 0, ", "0, -5, ", "9999999999, 0, 600000"})
    void theServerSaysWhenToComeBackAsGoogleDoes(long seconds, int nanos, Long millis) {
        var delay =
                com.google.protobuf.Duration.newBuilder()
                        .setSeconds(seconds)
                        .setNanos(nanos)
                        .build();
        Any info =
                Any.newBuilder()
                        .setTypeUrl("type.googleapis.com/google.rpc.RetryInfo")
                        .setValue(message(1, delay.toByteString()))
                        .build();
        SidecarException failure =
                failure(Status.RESOURCE_EXHAUSTED, details(message(3, info.toByteString())));
        assertThat(failure.isRetryable()).isTrue();
        assertThat(failure.retryAfter().map(Duration::toMillis).orElse(null)).isEqualTo(millis);
    }

    @ParameterizedTest
    @CsvSource({
        "7, 7000",
        "' 0 ', 0",
        "999999999999999, 600000",
        "99999999999999999999, ",
        "-1, ",
        "soon, ",
        "'Sat, 01 Mar 2025 10:00:00 GMT', "
    })
    void theServerSaysWhenToComeBackAsProxiesDo(String retryAfter, Long millis) {
        SidecarException failure = failure(Status.UNAVAILABLE, Map.of("retry-after", retryAfter));
        assertThat(failure.isRetryable()).isTrue();
        assertThat(failure.retryAfter().map(Duration::toMillis).orElse(null)).isEqualTo(millis);
    }

    @Test
    void detailsThatCannotBeReadAreNoHint() {
        SidecarException failure =
                failure(
                        Status.RESOURCE_EXHAUSTED,
                        details(ByteString.copyFrom(new byte[] {26, 127, 1})));
        assertThat(failure.kind()).isEqualTo(Kind.OVERLOADED);
        assertThat(failure.retryAfter()).isEmpty();
    }

    @Test
    void aMessageThatIsTooLargeForTheServerIsNoOverload() {
        String description = "Received message larger than max (5000000 vs. 4194304)";
        assertThat(failure(Status.RESOURCE_EXHAUSTED.withDescription(description), Map.of()).kind())
                .isEqualTo(Kind.INVALID_TENSOR);
    }

    @Test
    void aLongDescriptionIsCut() {
        String description = "line\n".repeat(10_000);
        assertThat(failure(Status.INTERNAL.withDescription(description), Map.of()).getMessage())
                .hasSizeLessThan(700)
                .doesNotContain("\n");
    }

    @Test
    void arrivesAtTheClientOfAJobAsWhatItIs() throws Exception {
        SidecarException failure =
                failure(Status.RESOURCE_EXHAUSTED, Map.of("grpc-retry-pushback-ms", "250"));
        byte[] bytes = InstantiationUtil.serializeObject(new SerializedThrowable(failure));
        SerializedThrowable received =
                InstantiationUtil.deserializeObject(bytes, getClass().getClassLoader());
        Throwable copy = received.deserializeError(getClass().getClassLoader());
        assertThat(copy).isExactlyInstanceOf(SidecarException.Overloaded.class);
        assertThat(((SidecarException) copy).retryAfter()).contains(Duration.ofMillis(250));
        assertThat(copy).hasMessage(failure.getMessage());
    }

    @Test
    void thePredicateTellsWhatMayPass() {
        var predicate = new SidecarRetryPredicate();
        Throwable overloaded = Kind.OVERLOADED.exception("later");
        assertThat(predicate.test(overloaded)).isTrue();
        assertThat(predicate.test(new RuntimeException(overloaded))).isTrue();
        assertThat(predicate.test(Kind.INVALID_TENSOR.exception("never"))).isFalse();
        assertThat(predicate.test(Kind.OVERLOADED.exception("told not to", false, null))).isFalse();
        assertThat(predicate.test(new IllegalStateException())).isFalse();
        assertThat(predicate.asAsyncRetryPredicate().exceptionPredicate()).contains(predicate);
        assertThat(predicate.asAsyncRetryPredicate().resultPredicate()).isEmpty();
    }

    private SidecarException failure(Status status, Map<String, String> trailers) {
        Metadata metadata = new Metadata();
        trailers.forEach(
                (name, value) ->
                        metadata.put(
                                Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value));
        return failure(status, metadata);
    }

    private SidecarException failure(Status status, Metadata trailers) {
        server.behaviour = inference -> inference.fail(status, trailers);
        return rig.call(1L).sidecarFailure();
    }

    private static Metadata details(ByteString status) {
        Metadata trailers = new Metadata();
        trailers.put(
                Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER),
                status.toByteArray());
        return trailers;
    }

    private static ByteString message(int field, ByteString value) {
        return UnknownFieldSet.newBuilder()
                .addField(field, Field.newBuilder().addLengthDelimited(value).build())
                .build()
                .toByteString();
    }
}
