package io.asyncbatch.flink.sidecar;

import io.asyncbatch.flink.sidecar.channel.AnswerHandler;
import io.asyncbatch.flink.sidecar.channel.PendingRequest;
import io.asyncbatch.flink.sidecar.channel.SidecarClient;
import io.asyncbatch.flink.sidecar.channel.SidecarMetrics;
import java.time.Duration;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.functions.RuntimeContext;
import org.apache.flink.streaming.api.functions.async.ResultFuture;

/**
 * Records to a model server and results back, by a codec. Encodes in the task's thread, decodes in
 * the client's.
 *
 * @param <IN> type of the records
 * @param <OUT> type of the results
 */
final class CodecCalls<IN, OUT> implements AutoCloseable {

    private final TensorCodec<IN, OUT> codec;
    private final SidecarClient client;
    private final List<String> outputs;

    /** By what the operator asks for them again, which is the very same object. */
    private final Map<Object, PendingRequest> open =
            Collections.synchronizedMap(new IdentityHashMap<>());

    private CodecCalls(TensorCodec<IN, OUT> codec, SidecarClient client) {
        this.codec = codec;
        this.client = client;
        this.outputs = List.copyOf(codec.outputs());
    }

    /** Blocks until server and model are ready. */
    static <IN, OUT> CodecCalls<IN, OUT> open(
            SidecarOptions options, TensorCodec<IN, OUT> codec, RuntimeContext context)
            throws SidecarException, InterruptedException {
        return new CodecCalls<>(
                codec,
                SidecarClient.open(
                        options,
                        new SidecarMetrics(context.getMetricGroup()),
                        context.getUserCodeClassLoader()));
    }

    /**
     * Starts a call.
     *
     * @param key by which {@link #cancel} finds it
     */
    void call(Object key, List<IN> records, ResultFuture<OUT> results) {
        List<Tensor> inputs;
        try {
            inputs = codec.encode(records);
        } catch (RuntimeException unfit) {
            results.completeExceptionally(unfit);
            return;
        }
        PendingRequest request =
                client.request(
                        inputs,
                        outputs,
                        new AnswerHandler() {
                            @Override
                            public void onOutputs(List<Tensor> tensors) {
                                List<OUT> decoded = decode(tensors, records);
                                open.remove(key);
                                results.complete(decoded);
                            }

                            @Override
                            public void onFailure(Throwable failure) {
                                open.remove(key);
                                results.completeExceptionally(failure);
                            }
                        });
        open.put(key, request);
        request.submit();
    }

    private List<OUT> decode(List<Tensor> tensors, List<IN> records) {
        List<OUT> decoded = codec.decode(tensors, records);
        if (decoded == null || decoded.size() != records.size()) {
            throw new IllegalStateException(
                    "%s must decode one result for each of %d records, and decoded %s"
                            .formatted(
                                    codec.getClass().getName(),
                                    records.size(),
                                    decoded == null ? "null" : Integer.toString(decoded.size())));
        }
        return decoded;
    }

    /** Ends a call, at the server too. Nothing is reported for it any more. */
    void cancel(Object key) {
        PendingRequest request = open.remove(key);
        if (request != null) {
            request.cancel();
        }
    }

    /**
     * @return how many are open after that time
     */
    int awaitIdle(Duration most) throws InterruptedException {
        return client.awaitIdle(most);
    }

    @Override
    public void close() {
        client.close();
    }
}
