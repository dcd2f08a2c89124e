package io.asyncbatch.flink.batchapi.client;

import java.io.IOException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Optional;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ReadableConfig;

/** Makes the client of a Batch API over HTTP. Immutable; holds no secret. */
@Internal
public final class HttpBatchApiFactory implements BatchApiFactory {

    private static final long serialVersionUID = 1L;

    /** Which requests the server understands. */
    public enum Shape {
        OPENAI,
        SIMPLE
    }

    private final Shape shape;
    private final Endpoint endpoint;
    private final String requestUrl;
    private final Credentials credentials;
    private final Duration timeout;
    private final long mostResultBytes;

    /**
     * @param requestUrl what requests are for; of OPENAI only
     * @param timeout of a call; the transfer of a file has ten times as long
     * @param mostResultBytes of one file of results
     */
    public HttpBatchApiFactory(
            Shape shape,
            Endpoint endpoint,
            String requestUrl,
            Credentials credentials,
            Duration timeout,
            long mostResultBytes) {
        this.shape = shape;
        this.endpoint = endpoint;
        this.requestUrl = requestUrl;
        this.credentials = credentials;
        this.timeout = timeout;
        this.mostResultBytes = mostResultBytes;
    }

    @Override
    public BatchApi create(ReadableConfig taskManager) throws IOException {
        Optional<String> key = credentials.key(taskManager, System::getenv);
        endpoint.requireHarmlessAddresses("ml.batch.api.endpoint");
        HttpCalls http =
                new HttpCalls(endpoint, key, timeout, mostResultBytes, InstantSource.system());
        return switch (shape) {
            case OPENAI -> new OpenAiBatchApi(http, requestUrl);
            case SIMPLE -> new SimpleBatchApi(http);
        };
    }
}
