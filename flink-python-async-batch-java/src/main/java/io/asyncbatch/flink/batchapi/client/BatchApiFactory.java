package io.asyncbatch.flink.batchapi.client;

import java.io.IOException;
import java.io.Serializable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.ReadableConfig;

/** Makes a subtask's {@link BatchApi}. Travels with the job graph, so it holds no secret. */
@Internal
@FunctionalInterface
public interface BatchApiFactory extends Serializable {

    /**
     * @param taskManager the TaskManager's configuration, where secrets may be
     * @throws IOException if the endpoint or the credentials are not what they should be
     */
    BatchApi create(ReadableConfig taskManager) throws IOException;
}
