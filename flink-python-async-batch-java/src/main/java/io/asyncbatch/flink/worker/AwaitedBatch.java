package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.arrow.MalformedBatchException;
import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.EarlyRows;
import io.asyncbatch.flink.invoker.RowFailure;
import io.asyncbatch.flink.proto.FrameHeader;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import java.util.function.Supplier;
import javax.annotation.Nullable;

/**
 * One batch that awaits its answer, and which of its rows answers have told of. Nothing that an
 * answer says is believed before it was checked.
 *
 * <p>The thread that answers owns which rows are told of; any thread may complete the outcome.
 */
final class AwaitedBatch<OUT> {

    private final int rowCount;
    @Nullable private final EarlyRows<OUT> early;
    private final CompletableFuture<BatchOutcome<OUT>> outcome = new CompletableFuture<>();

    private final BitSet told = new BitSet(0);

    /** Of parts that nobody takes early. */
    private final List<RowFailure> keptFailures = new ArrayList<>(0);

    /**
     * @param early takes rows that are told of before the others; null if nobody does, and only
     *     rows without a result may be
     */
    AwaitedBatch(int rowCount, @Nullable EarlyRows<OUT> early) {
        this.rowCount = rowCount;
        this.early = early;
    }

    int rowCount() {
        return rowCount;
    }

    CompletableFuture<BatchOutcome<OUT>> outcome() {
        return outcome;
    }

    /**
     * Takes a {@code PART}.
     *
     * @param results decodes its body
     * @param cause what a failure of a row means
     * @return whether all rows have been told of, so that there is no more to await
     * @throws RuntimeException if it is none of this batch
     */
    boolean takePart(
            FrameHeader header,
            Supplier<List<OUT>> results,
            Function<io.asyncbatch.flink.proto.RowFailure, Throwable> cause) {
        if (header.getRowsCount() != header.getRowCount()) {
            throw new MalformedBatchException(
                    "A part names "
                            + header.getRowsCount()
                            + " rows and has "
                            + Integer.toUnsignedString(header.getRowCount()));
        }
        header.getRowsList().forEach(this::markTold);
        List<RowFailure> failures = failures(header, cause);
        if (early == null) {
            if (header.getRowsCount() > 0) {
                throw new MalformedBatchException(
                        "A timeout handler's results come all at once, not in parts.");
            }
            keptFailures.addAll(failures);
            return false;
        }
        int succeeded = header.getRowsCount();
        int[] rows = new int[succeeded + failures.size()];
        List<OUT> values = new ArrayList<>(rows.length);
        if (succeeded > 0) {
            values.addAll(results.get());
        }
        for (int i = 0; i < succeeded; i++) {
            rows[i] = header.getRows(i);
        }
        for (int i = 0; i < failures.size(); i++) {
            rows[succeeded + i] = failures.get(i).row();
            values.add(null);
        }
        if (rows.length > 0) {
            early.accept(rows, values, failures);
        }
        return told.cardinality() == rowCount;
    }

    /**
     * What a {@code RESULT} says of the rows that no part has told of.
     *
     * @throws RuntimeException if it is none of this batch
     */
    BatchOutcome<OUT> rest(
            FrameHeader header,
            Supplier<List<OUT>> results,
            Function<io.asyncbatch.flink.proto.RowFailure, Throwable> cause) {
        List<OUT> values = header.getRowCount() == 0 ? List.of() : results.get();
        if (header.getRowFailuresCount() == 0 && keptFailures.isEmpty()) {
            return BatchOutcome.success(values);
        }
        List<RowFailure> failures = new ArrayList<>(keptFailures);
        failures.addAll(failures(header, cause));
        int expected = rowCount - told.cardinality();
        if (values.size() != expected) {
            throw new MalformedBatchException(
                    "There are "
                            + values.size()
                            + " results for the "
                            + expected
                            + " rows that did not fail.");
        }
        return BatchOutcome.success(withGaps(values, failures), failures);
    }

    /** A result for each row that was not given early: null for those that failed. */
    private List<OUT> withGaps(List<OUT> values, List<RowFailure> failures) {
        BitSet gaps = new BitSet(rowCount);
        failures.forEach(failure -> gaps.set(failure.row()));
        List<OUT> all = new ArrayList<>(values.size() + failures.size());
        int next = 0;
        for (int row = 0; row < rowCount; row++) {
            if (gaps.get(row)) {
                all.add(null);
            } else if (!told.get(row)) {
                all.add(values.get(next++));
            }
        }
        return Collections.unmodifiableList(all);
    }

    private List<RowFailure> failures(
            FrameHeader header, Function<io.asyncbatch.flink.proto.RowFailure, Throwable> cause) {
        List<RowFailure> failures = new ArrayList<>(header.getRowFailuresCount());
        for (io.asyncbatch.flink.proto.RowFailure failure : header.getRowFailuresList()) {
            markTold(failure.getIndex());
            failures.add(new RowFailure(failure.getIndex(), cause.apply(failure)));
        }
        return failures;
    }

    private void markTold(int row) {
        if (row < 0 || row >= rowCount || told.get(row)) {
            throw new MalformedBatchException(
                    "An answer names row "
                            + Integer.toUnsignedString(row)
                            + " of a batch of "
                            + rowCount
                            + (row >= 0 && row < rowCount ? " once more." : "."));
        }
        told.set(row);
    }
}
