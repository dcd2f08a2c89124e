package io.asyncbatch.flink.worker.control;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.InstructionRequest;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.InstructionResponse;
import org.apache.beam.model.fnexecution.v1.BeamFnApi.ProcessBundleDescriptor;
import org.apache.beam.runners.fnexecution.control.InstructionRequestHandler;

/**
 * The harness's control stream, with an eye on the one bundle. Thread-safe.
 *
 * <p>Beam tells how a bundle ended only to who closes it. This bundle must not end before the
 * worker does, so its end has to be seen when it happens.
 */
final class WatchedHarness implements InstructionRequestHandler {

    private final InstructionRequestHandler harness;
    private final CompletableFuture<Void> bundleEnd = new CompletableFuture<>();

    WatchedHarness(InstructionRequestHandler harness) {
        this.harness = harness;
    }

    /** Completes when the bundle has ended, exceptionally if it failed. */
    CompletableFuture<Void> bundleEnd() {
        return bundleEnd;
    }

    @Override
    public CompletionStage<InstructionResponse> handle(InstructionRequest request) {
        CompletionStage<InstructionResponse> response = harness.handle(request);
        if (request.hasProcessBundle()) {
            response.whenComplete(
                    (ended, failure) -> {
                        if (failure != null) {
                            bundleEnd.completeExceptionally(failure);
                        } else {
                            bundleEnd.complete(null);
                        }
                    });
        }
        return response;
    }

    @Override
    public void registerProcessBundleDescriptor(ProcessBundleDescriptor descriptor) {
        harness.registerProcessBundleDescriptor(descriptor);
    }

    /** Ends the control stream, which tells the harness to leave. */
    @Override
    public void close() throws Exception {
        harness.close();
    }
}
