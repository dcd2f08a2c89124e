package io.asyncbatch.flink.table.gather;

import static io.asyncbatch.flink.table.gather.GathererRig.BATCH_TIMEOUT;
import static io.asyncbatch.flink.table.gather.GathererRig.CAPACITY;
import static io.asyncbatch.flink.table.gather.GathererRig.TIMEOUT;
import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.invoker.BatchOutcome;
import io.asyncbatch.flink.invoker.BatchRequest;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class GathererTest {

    private final GathererRig rig = new GathererRig();

    @Test
    void rowsOfSeveralCallsMakeABatch() throws Exception {
        List<CompletableFuture<String>> results = rig.add(1, 2, 3);

        assertThat(rig.calls.inputs()).containsExactly(List.of(1, 2, 3));
        assertThat(results).noneMatch(CompletableFuture::isDone);
        rig.calls.succeed(0);
        rig.mails.runAll();
        assertThat(results).extracting(CompletableFuture::join).containsExactly("r1", "r2", "r3");
        assertThat(rig.timers.active()).isZero();
    }

    /** Nothing else closes the last batch: no call tells that the input has ended. */
    @Test
    void aPartialBatchGoesWhenTheTimeOfItsFirstRowHasPassed() throws Exception {
        rig.add(1);
        rig.advance(BATCH_TIMEOUT - 1);
        rig.add(2);
        assertThat(rig.calls.inputs()).isEmpty();

        rig.advance(1);
        assertThat(rig.calls.inputs()).containsExactly(List.of(1, 2));
    }

    @Test
    void aBatchThatIsLateWhileNoCallMayBeginTakesMoreRows() throws Exception {
        rig.add(1, 2, 3, 4, 5, 6, 7);
        rig.advance(BATCH_TIMEOUT);
        rig.add(8);
        assertThat(rig.calls.inputs()).hasSize(CAPACITY);

        rig.calls.succeed(0);
        rig.mails.runAll();
        rig.advance(BATCH_TIMEOUT);
        assertThat(rig.calls.inputs()).last().isEqualTo(List.of(7, 8));
    }

    @Test
    void aFailedBatchFailsEveryRowThatIsThereAndEveryRowThatComes() throws Exception {
        List<CompletableFuture<String>> rows = new ArrayList<>(rig.add(1, 2, 3, 4, 5, 6, 7));
        rig.calls.fail(0, new IllegalStateException("no model"));
        rig.mails.runAll();
        rows.addAll(rig.add(8));

        assertThat(rows).allMatch(CompletableFuture::isCompletedExceptionally);
        assertThat(rows.get(7).handle((result, failure) -> failure.getCause().getMessage()))
                .isCompletedWithValue("no model");
        assertThat(rig.timers.active()).isZero();
        rig.calls.succeed(1);
        rig.mails.runAll();
        assertThat(rows.get(3)).isCompletedExceptionally();
    }

    @Test
    void aCallThatPassesItsDeadlineIsCancelledAndItsSubstitutesCount() throws Exception {
        List<CompletableFuture<String>> rows = rig.add(1, 2, 3);
        rig.advance(TIMEOUT);
        assertThat(rig.calls.timedOut).hasSize(1);

        rig.calls.timedOut.remove().complete(BatchOutcome.success(List.of("s1", "s2", "s3")));
        rig.mails.runAll();
        assertThat(rows).extracting(CompletableFuture::join).containsExactly("s1", "s2", "s3");
    }

    @Test
    void aCallIsRepeatedAsTheInvokerAsks() throws Exception {
        List<CompletableFuture<String>> rows = rig.add(1, 2, 3);
        rig.calls.answer(0, BatchOutcome.retry(new IllegalStateException("busy"), 10));
        rig.mails.runAll();
        rig.advance(10);
        rig.calls.succeed(1);
        rig.mails.runAll();

        assertThat(rig.calls.requests).extracting(BatchRequest::attempt).containsExactly(1, 2);
        assertThat(rows).extracting(CompletableFuture::join).containsExactly("r1", "r2", "r3");
    }
}
