package io.asyncbatch.flink.sidecar;

import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.BatchTooLargeException;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.flink.streaming.api.functions.async.CollectionSupplier;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Which failures of a model server have a batch halved. */
class HalvingFutureTest {

    private final CompletableFuture<Collection<Integer>> told = new CompletableFuture<>();
    private final ResultFuture<Integer> operator =
            new ResultFuture<>() {
                @Override
                public void complete(Collection<Integer> result) {
                    told.complete(result);
                }

                @Override
                public void complete(CollectionSupplier<Integer> supplier) {
                    throw new UnsupportedOperationException();
                }

                @Override
                public void completeExceptionally(Throwable error) {
                    told.completeExceptionally(error);
                }
            };

    @Test
    void resultsAreLeftAsTheyAre() throws Exception {
        new HalvingFuture<>(2, operator).complete(List.of(1, 2));
        assertThat(told.get()).containsExactly(1, 2);
    }

    @Test
    void aServerWithoutMemoryHasTheBatchHalved() throws Exception {
        SidecarException failure = Kind.OUT_OF_MEMORY.exception("CUDA out of memory");
        assertThat(toldFor(8, failure))
                .isInstanceOf(BatchTooLargeException.class)
                .hasMessage("a request of 8 rows: CUDA out of memory")
                .hasCause(failure);
    }

    @Test
    void aServerThatDoesNotSayWhenToComeBackMayHaveNoMemory() throws Exception {
        assertThat(toldFor(2, Kind.OVERLOADED.exception("busy")))
                .isInstanceOf(BatchTooLargeException.class);
    }

    @Test
    void aSingleRowIsNotWhatAServerIsOverloadedBy() throws Exception {
        SidecarException failure = Kind.OVERLOADED.exception("busy");
        assertThat(toldFor(1, failure)).isSameAs(failure);
    }

    @Test
    void aServerThatSaysWhenToComeBackIsNotServedBySmallerRequests() throws Exception {
        SidecarException failure = Kind.OVERLOADED.exception("busy", true, Duration.ofMillis(100));
        assertThat(toldFor(8, failure)).isSameAs(failure);
    }

    @ParameterizedTest
    @EnumSource(
            mode = EnumSource.Mode.EXCLUDE,
            names = {"OUT_OF_MEMORY", "OVERLOADED"})
    void otherFailuresAreLeftAsTheyAre(Kind kind) throws Exception {
        SidecarException failure = kind.exception("no");
        assertThat(toldFor(8, failure)).isSameAs(failure);
    }

    private Throwable toldFor(int rows, Throwable failure) throws InterruptedException {
        new HalvingFuture<>(rows, operator).completeExceptionally(failure);
        try {
            throw new AssertionError("it has completed with " + told.get());
        } catch (ExecutionException e) {
            return e.getCause();
        }
    }
}
