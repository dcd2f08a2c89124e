package io.asyncbatch.flink.sidecar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.asyncbatch.flink.sidecar.channel.AnswerHandler;
import io.asyncbatch.flink.sidecar.channel.PendingRequest;
import io.asyncbatch.flink.sidecar.channel.SidecarClient;
import io.asyncbatch.flink.sidecar.channel.SidecarMetrics;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Metric;
import org.apache.flink.metrics.groups.UnregisteredMetricsGroup;

/** A client under test, and what it measures. Driven by the test's thread. */
final class ClientRig implements AutoCloseable {

    /** A request of a test. */
    static final class Call {
        final CompletableFuture<List<Long>> results = new CompletableFuture<>();
        PendingRequest request;

        List<Long> get() throws Exception {
            return results.get(60, TimeUnit.SECONDS);
        }

        /** Waits for the failure, which must be one. */
        Throwable failure() {
            Throwable thrown = catchThrowable(this::get);
            assertThat(thrown).isInstanceOf(ExecutionException.class);
            return thrown.getCause();
        }

        SidecarException sidecarFailure() {
            Throwable failure = failure();
            assertThat(failure).isInstanceOf(SidecarException.class);
            return (SidecarException) failure;
        }
    }

    final Map<String, Metric> metrics = new ConcurrentHashMap<>();
    final SidecarClient client;
    private final LongCodec codec;

    ClientRig(SidecarOptions options, LongCodec codec) throws Exception {
        this.codec = codec;
        this.client =
                SidecarClient.open(
                        options,
                        new SidecarMetrics(new RecordingGroup()),
                        getClass().getClassLoader());
    }

    static ClientRig open(SidecarOptions.Builder options) throws Exception {
        return new ClientRig(options.build(), new LongCodec());
    }

    /** Asks for ten times each value. */
    Call call(Long... values) {
        Call call = prepare(values);
        call.request.submit();
        return call;
    }

    Call prepare(Long... values) {
        Call call = new Call();
        List<Long> records = Arrays.asList(values);
        call.request =
                client.request(
                        codec.encode(records),
                        codec.outputs(),
                        new AnswerHandler() {
                            @Override
                            public void onOutputs(List<Tensor> outputs) {
                                call.results.complete(codec.decode(outputs, records.size()));
                            }

                            @Override
                            public void onFailure(Throwable failure) {
                                call.results.completeExceptionally(failure);
                            }
                        });
        return call;
    }

    /** Whatever its outputs, by a handler that looks at them. */
    <T> CompletableFuture<T> call(
            List<String> outputs, java.util.function.Function<List<Tensor>, T> read) {
        CompletableFuture<T> result = new CompletableFuture<>();
        client.request(
                        codec.encode(List.of(1L)),
                        outputs,
                        new AnswerHandler() {
                            @Override
                            public void onOutputs(List<Tensor> tensors) {
                                result.complete(read.apply(tensors));
                            }

                            @Override
                            public void onFailure(Throwable failure) {
                                result.completeExceptionally(failure);
                            }
                        })
                .submit();
        return result;
    }

    long counter(String name) {
        return ((Counter) metrics.get(name)).getCount();
    }

    long gauge(String name) {
        return ((Number) ((Gauge<?>) metrics.get(name)).getValue()).longValue();
    }

    @Override
    public void close() {
        client.close();
    }

    private final class RecordingGroup extends UnregisteredMetricsGroup {
        @Override
        public org.apache.flink.metrics.MetricGroup addGroup(String name) {
            assertThat(name).isEqualTo("sidecar");
            return this;
        }

        @Override
        public <C extends Counter> C counter(String name, C counter) {
            metrics.put(name, counter);
            return counter;
        }

        @Override
        public <T, G extends Gauge<T>> G gauge(String name, G gauge) {
            metrics.put(name, gauge);
            return gauge;
        }

        @Override
        public <H extends org.apache.flink.metrics.Histogram> H histogram(
                String name, H histogram) {
            metrics.put(name, histogram);
            return histogram;
        }
    }
}
