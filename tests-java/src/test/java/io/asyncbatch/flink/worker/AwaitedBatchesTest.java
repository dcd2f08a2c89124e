package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.BackendOverload;
import io.asyncbatch.flink.arrow.MalformedBatchException;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.proto.Failure;
import io.asyncbatch.flink.proto.FrameHeader;
import io.asyncbatch.flink.proto.FrameKind;
import io.asyncbatch.flink.proto.RowFailure;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What answers about single rows mean, and which of them are believed. */
class AwaitedBatchesTest {

    private final AwaitedBatches<String> awaited = new AwaitedBatches<>("Echo");

    /** Results by row, and the messages of failures. */
    private final Map<Integer, String> early = new HashMap<>();

    @Test
    void aRowWithoutAResultIsAGapInTheResults() throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome = invoke(4);
        answer(
                result("a", "d").addRowFailures(failure(2, "two")).addRowFailures(failure(1, "")),
                "a",
                "d");
        BatchOutcome.Success<String> success = (BatchOutcome.Success<String>) outcome.get();
        assertThat(success.results()).containsExactly("a", null, null, "d");
        assertThat(success.failures())
                .extracting(io.asyncbatch.flink.invoker.RowFailure::row)
                .containsExactly(2, 1);
        assertThat(success.failures().get(0).cause())
                .isInstanceOf(PythonBatchException.class)
                .hasMessage(
                        "Echo.async_invoke_batch has no result for row 2 of a batch of 4:"
                                + " ValueError: two");
        PythonBatchException cause = (PythonBatchException) success.failures().get(0).cause();
        assertThat(cause.getErrorClass()).isEqualTo("ValueError");
        assertThat(cause.getErrorMessage()).isEqualTo("two");
    }

    @Test
    void aBatchOfWhichNothingIsLeftHasNoBody() throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome = invoke(2);
        awaited.answered(
                result().addRowFailures(failure(0, "a")).addRowFailures(failure(1, "b")).build(),
                () -> {
                    throw new AssertionError("there is no body");
                });
        assertThat(((BatchOutcome.Success<String>) outcome.get()).results())
                .containsExactly(null, null);
    }

    @Test
    void partsAreGivenEarlyAndTheResultIsAboutTheRest() throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome = invoke(4);
        answer(part(3, 1).addRowFailures(failure(0, "zero")), "d", "b");
        assertThat(early).containsOnly(Map.entry(3, "d"), Map.entry(1, "b"), Map.entry(0, "!zero"));
        assertThat(outcome).isNotDone();
        answer(result("c"), "c");
        assertThat(outcome.get()).isEqualTo(BatchOutcome.success(List.of("c")));
        assertThat(awaited.count()).isZero();
    }

    @Test
    void aFailureBehindPartsIsAboutTheRest() throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome = invoke(2);
        answer(part(1), "b");
        answer(
                header(FrameKind.FAILURE)
                        .setFailure(Failure.newBuilder().setKind(Failure.Kind.TOO_LARGE)));
        assertThat(outcome.get()).isInstanceOf(BatchOutcome.TooLarge.class);
    }

    /** With a retry strategy or without: what it cost is said, and when the call is welcome. */
    @ParameterizedTest
    @EnumSource(names = {"RETRY", "FAILURE"})
    void whatIsOverloadedSaysWhenTheCallIsWelcome(FrameKind kind) throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome = invoke(2);
        answer(
                header(kind)
                        .setRetryDelayMillis(31_000)
                        .setFailure(overloaded().setRetryAfterMillis(30_000)));
        assertThat(overload(outcome.get()).retryAfter()).contains(Duration.ofSeconds(30));
        if (kind == FrameKind.RETRY) {
            BatchOutcome.Retry<String> retry = (BatchOutcome.Retry<String>) outcome.get();
            assertThat(retry.delayMillis()).isEqualTo(31_000);
        }
    }

    @Test
    void whatIsOverloadedNeedNotSayWhenTheCallIsWelcome() throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome = invoke(2);
        answer(header(FrameKind.FAILURE).setFailure(overloaded()));
        assertThat(overload(outcome.get()).retryAfter()).isEmpty();
    }

    /** It would not end, or end in the past. */
    @ParameterizedTest
    @ValueSource(longs = {-1, Long.MIN_VALUE, Long.MAX_VALUE, 86_400_001})
    void nobodyIsKeptAwayForMoreThanADay(long millis) throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome = invoke(2);
        answer(header(FrameKind.FAILURE).setFailure(overloaded().setRetryAfterMillis(millis)));
        assertThat(overload(outcome.get()).retryAfter()).contains(Duration.ofDays(1));
    }

    @Test
    void anyOtherFailureIsNoOverload() throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome = invoke(2);
        answer(
                header(FrameKind.FAILURE)
                        .setFailure(Failure.newBuilder().setKind(Failure.Kind.USER_CODE)));
        assertThat(((BatchOutcome.Failure<String>) outcome.get()).cause())
                .isInstanceOf(PythonBatchException.class)
                .isNotInstanceOf(BackendOverload.class);
    }

    /** Who was given all rows has its outcome; another one would be late. */
    @Test
    void partsOfAllRowsEndTheBatch() {
        CompletableFuture<BatchOutcome<String>> outcome = invoke(2);
        answer(part(1), "b");
        answer(part(0), "a");
        assertThat(awaited.count()).isZero();
        answer(result());
        assertThat(outcome).isNotDone();
    }

    @Test
    void failuresOfATimeoutHandlerAreKeptForItsResult() throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome =
                awaited.add(request(FrameKind.TIMEOUT, 3), null).toCompletableFuture();
        answer(part().setAnswers(FrameKind.TIMEOUT).addRowFailures(failure(1, "one")));
        assertThat(outcome).isNotDone();
        answer(result("a").setAnswers(FrameKind.TIMEOUT).addRowFailures(failure(2, "two")), "a");
        BatchOutcome.Success<String> success = (BatchOutcome.Success<String>) outcome.get();
        assertThat(success.results()).containsExactly("a", null, null);
        assertThat(success.failures()).hasSize(2);
        assertThat(success.failures().get(0).cause())
                .hasMessageStartingWith("Echo.timeout_batch has no result for row 1");
    }

    private enum Nonsense {
        FOREIGN_ROW(part(2), "x"),
        NEGATIVE_ROW(part(-1), "x"),
        ROW_TWICE(part(0, 0), "x", "y"),
        FAILED_ROW_TWICE(part().addRowFailures(failure(0, "")).addRowFailures(failure(0, "again"))),
        ROW_AND_FAILURE(part(0).addRowFailures(failure(0, "")), "x"),
        FOREIGN_FAILURE(result("x").addRowFailures(failure(7, "")), "x"),
        FEWER_ROWS_THAN_ANNOUNCED(part(0).setRowCount(2), "x", "y"),
        TOO_FEW_RESULTS(result().addRowFailures(failure(0, ""))),
        TOO_MANY_RESULTS(result("x", "y").addRowFailures(failure(0, "")), "x", "y");

        private final FrameHeader header;
        private final List<String> results;

        Nonsense(FrameHeader.Builder header, String... results) {
            this.header = header.build();
            this.results = List.of(results);
        }
    }

    @ParameterizedTest
    @EnumSource
    void nonsenseEndsTheBatch(Nonsense nonsense) throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome = invoke(2);
        awaited.answered(nonsense.header, () -> nonsense.results);
        assertThat(((BatchOutcome.Failure<String>) outcome.get()).cause())
                .isInstanceOf(MalformedBatchException.class);
        assertThat(early).isEmpty();
        assertThat(awaited.count()).isZero();
    }

    @Test
    void aPartOfRowsThatNobodyTakesEndsTheBatch() throws Exception {
        CompletableFuture<BatchOutcome<String>> outcome =
                awaited.add(request(FrameKind.TIMEOUT, 2), null).toCompletableFuture();
        answer(part(0).setAnswers(FrameKind.TIMEOUT), "a");
        assertThat(((BatchOutcome.Failure<String>) outcome.get()).cause())
                .isInstanceOf(MalformedBatchException.class);
    }

    /** Whatever is said, no row is told of twice, and the results are as many as promised. */
    @Property(tries = 2_000)
    void anyAnswersLeaveEachRowOneOutcome(@ForAll long seed) throws Exception {
        Random random = new Random(seed);
        int rows = 1 + random.nextInt(5);
        List<Integer> given = new ArrayList<>();
        AwaitedBatches<String> batches = new AwaitedBatches<>("Echo");
        CompletableFuture<BatchOutcome<String>> outcome =
                batches.add(
                                request(FrameKind.INVOKE, rows),
                                (indexes, results, failures) -> {
                                    assertThat(results).hasSize(indexes.length);
                                    Arrays.stream(indexes).forEach(given::add);
                                })
                        .toCompletableFuture();
        for (int answers = 0; answers < 6 && batches.count() > 0; answers++) {
            FrameHeader.Builder header =
                    header(random.nextInt(3) == 0 ? FrameKind.RESULT : FrameKind.PART);
            for (int i = random.nextInt(3); i > 0; i--) {
                header.addRows(random.nextInt(rows + 1) - random.nextInt(8) / 7);
            }
            for (int i = random.nextInt(3); i > 0; i--) {
                header.addRowFailures(failure(random.nextInt(rows + 1), "no"));
            }
            int count = random.nextInt(4) == 0 ? random.nextInt(3) : header.getRowsCount();
            batches.answered(
                    header.setRowCount(count).build(),
                    () -> new ArrayList<>(Collections.nCopies(count, "x")));
        }
        assertThat(given).doesNotHaveDuplicates().allMatch(row -> row >= 0 && row < rows);
        if (!outcome.isDone()) {
            return;
        }
        if (outcome.get() instanceof BatchOutcome.Success<String> success) {
            success.failures().forEach(failure -> given.add(failure.row()));
            assertThat(given).doesNotHaveDuplicates();
            if (!success.failures().isEmpty()) {
                int early = given.size() - success.failures().size();
                assertThat(success.results()).hasSize(rows - early);
            }
        } else {
            assertThat(((BatchOutcome.Failure<String>) outcome.get()).cause())
                    .isInstanceOf(MalformedBatchException.class);
        }
    }

    private CompletableFuture<BatchOutcome<String>> invoke(int rows) {
        return awaited.add(
                        request(FrameKind.INVOKE, rows),
                        (indexes, results, failures) -> {
                            for (int i = 0; i < indexes.length; i++) {
                                early.put(indexes[i], results.get(i));
                            }
                            failures.forEach(
                                    failure ->
                                            early.put(
                                                    failure.row(),
                                                    "!"
                                                            + ((PythonBatchException)
                                                                            failure.cause())
                                                                    .getErrorMessage()));
                        })
                .toCompletableFuture();
    }

    private void answer(FrameHeader.Builder header, String... results) {
        awaited.answered(header.build(), () -> List.of(results));
    }

    private static FrameHeader request(FrameKind kind, int rows) {
        return FrameHeader.newBuilder()
                .setKind(kind)
                .setBatchId(1)
                .setAttempt(1)
                .setRowCount(rows)
                .build();
    }

    private static FrameHeader.Builder header(FrameKind kind) {
        return FrameHeader.newBuilder()
                .setKind(kind)
                .setAnswers(FrameKind.INVOKE)
                .setBatchId(1)
                .setAttempt(1);
    }

    private static FrameHeader.Builder result(String... results) {
        return header(FrameKind.RESULT).setRowCount(results.length);
    }

    private static FrameHeader.Builder part(int... rows) {
        FrameHeader.Builder part = header(FrameKind.PART).setRowCount(rows.length);
        Arrays.stream(rows).forEach(part::addRows);
        return part;
    }

    private static PythonOverloadException overload(BatchOutcome<?> outcome) {
        Throwable cause =
                outcome instanceof BatchOutcome.Retry<?> retry
                        ? retry.cause()
                        : ((BatchOutcome.Failure<?>) outcome).cause();
        return (PythonOverloadException) cause;
    }

    private static Failure.Builder overloaded() {
        return Failure.newBuilder().setKind(Failure.Kind.OVERLOADED).setMessage("busy");
    }

    private static RowFailure failure(int row, String message) {
        return RowFailure.newBuilder()
                .setIndex(row)
                .setFailure(
                        Failure.newBuilder()
                                .setKind(Failure.Kind.ROW)
                                .setErrorClass("ValueError")
                                .setMessage(message))
                .build();
    }
}
