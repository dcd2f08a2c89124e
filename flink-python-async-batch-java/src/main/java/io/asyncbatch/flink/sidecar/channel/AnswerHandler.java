package io.asyncbatch.flink.sidecar.channel;

import io.asyncbatch.flink.sidecar.Tensor;
import java.util.List;
import org.apache.flink.annotation.Internal;

/**
 * Takes what became of a request, in the channel's thread, or in the one that submits it. Must not
 * block.
 */
@Internal
public interface AnswerHandler {

    /**
     * @param outputs valid during the call only
     * @throws Exception becomes the request's failure
     */
    void onOutputs(List<Tensor> outputs) throws Exception;

    /** The request failed. */
    void onFailure(Throwable failure);
}
