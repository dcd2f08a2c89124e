package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.operator.buffer.BatchRows;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.stream.IntStream;
import javax.annotation.Nullable;

/**
 * Which rows of a batch are called for together: in the call that is under way, and in those that
 * have to follow it. At any moment there is at most one. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 */
final class BatchCalls<IN> {

    /**
     * Rows that are called for together.
     *
     * @param rows indexes in the batch, ascending
     * @param attempts calls that they were part of
     * @param deaths of workers that these calls were under way in
     * @param deathsAlone those of them when nothing else was under way than just these rows
     */
    private record Part(int[] rows, int attempts, int deaths, int deathsAlone) {}

    private final BatchRows<IN> rows;
    private final RowOutcomes<?> outcomes;

    /** The call that is under way, or the last one; null before the first. */
    @Nullable private BatchRequest<IN> request;

    /** The rows of the call by index in the batch; null for all. */
    @Nullable private int[] called;

    /** Deaths of workers that the rows of the call have seen. */
    private int deaths;

    private int deathsAlone;

    /** What has yet to be called for, after what is under way. */
    private final Deque<Part> parts = new ArrayDeque<>(0);

    BatchCalls(BatchRows<IN> rows, RowOutcomes<?> outcomes) {
        this.rows = rows;
        this.outcomes = outcomes;
    }

    /** The call that is under way, or the last one. */
    BatchRequest<IN> current() {
        return request;
    }

    boolean isCurrent(BatchRequest<IN> other) {
        return request == other;
    }

    /** Another call for the rows of the one that is under way is that from now on. */
    void replaceCurrent(BatchRequest<IN> call) {
        request = call;
    }

    /** The first call, for all rows. */
    BatchRequest<IN> callForAll(long batchId) {
        request = new BatchRequest<>(batchId, 1, rows.values());
        return request;
    }

    /**
     * Calls for the rows of the last call that have no outcome yet; with that call's very list if
     * none has.
     */
    BatchRequest<IN> callForTheRest(int attempt) {
        int[] rest = unsettled();
        if (rest.length < request.inputs().size()) {
            return call(request.batchId(), attempt, rest);
        }
        if (attempt != request.attempt()) {
            request = new BatchRequest<>(request.batchId(), attempt, request.inputs());
        }
        return request;
    }

    boolean hasParts() {
        return !parts.isEmpty();
    }

    /** The call ended with rows that have no outcome: they will be called for in two parts. */
    void split() {
        int[] left = unsettled();
        int middle = left.length / 2;
        parts.push(part(Arrays.copyOfRange(left, middle, left.length)));
        parts.push(part(Arrays.copyOf(left, middle)));
    }

    private Part part(int[] half) {
        return new Part(half, request.attempt(), deaths, 0);
    }

    /**
     * The call is not made now: its rows that have no outcome will be called for again, before all
     * other parts.
     *
     * @param made whether it was made, and counts
     */
    void putBack(boolean made) {
        int attempts = made ? request.attempt() : request.attempt() - 1;
        int[] left = unsettled();
        if (left.length > 0) {
            parts.push(new Part(left, attempts, deaths, deathsAlone));
        }
    }

    /** Rows of the next part. */
    int nextPartSize() {
        return parts.element().rows().length;
    }

    /** Calls for the next part, under a new id. */
    BatchRequest<IN> nextPart(long batchId) {
        Part next = parts.pop();
        deaths = next.deaths();
        deathsAlone = next.deathsAlone();
        return call(batchId, next.attempts() + 1, next.rows());
    }

    /** The worker died while the call was under way. */
    void workerDied(boolean alone) {
        deaths++;
        if (alone) {
            deathsAlone++;
        }
    }

    /** Whether the rows of the call, if not those of others, end workers. */
    boolean isConvicted(int suspectAfter) {
        return deaths >= suspectAfter
                && (unsettledCount() > 1 ? deathsAlone > 0 : deathsAlone >= suspectAfter);
    }

    /** Whether the rows of the next part may be what ends workers. */
    boolean nextPartIsSuspect(int suspectAfter) {
        return !parts.isEmpty() && parts.peek().deaths() >= suspectAfter;
    }

    /** For all that is left in one call, under a new id. */
    BatchRequest<IN> allParts(long batchId) {
        int[] all =
                parts.stream().flatMapToInt(part -> IntStream.of(part.rows())).sorted().toArray();
        deaths = parts.stream().mapToInt(Part::deaths).max().orElse(0);
        deathsAlone = 0;
        parts.clear();
        return call(batchId, 1, all);
    }

    private BatchRequest<IN> call(long batchId, int attempt, int[] of) {
        called = of;
        request = new BatchRequest<>(batchId, attempt, inputs(of));
        return request;
    }

    private List<IN> inputs(int[] of) {
        List<IN> inputs = new ArrayList<>(of.length);
        for (int row : of) {
            inputs.add(rows.value(row));
        }
        return Collections.unmodifiableList(inputs);
    }

    // --------------------------------------------------------- rows of a call

    /** Whether the call is for all rows of the batch. */
    boolean isForAll() {
        return called == null;
    }

    /** The row of the batch that an index in the call's inputs means. */
    int rowOf(int index) {
        return called == null ? index : called[index];
    }

    /** Whether an index in the call's inputs is one of a row without an outcome. */
    boolean isUnsettled(int index) {
        return index >= 0 && index < request.inputs().size() && !outcomes.isSettled(rowOf(index));
    }

    /** Rows of the call that have no outcome yet, by index in the batch. */
    int[] unsettled() {
        return (called == null ? IntStream.range(0, rows.size()) : IntStream.of(called))
                .filter(row -> !outcomes.isSettled(row))
                .toArray();
    }

    /** The same rows by index in the call's inputs. */
    int[] unsettledIndexes() {
        return IntStream.range(0, request.inputs().size()).filter(this::isUnsettled).toArray();
    }

    int unsettledCount() {
        return outcomes.noneSettled() ? request.inputs().size() : unsettled().length;
    }
}
