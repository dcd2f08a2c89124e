package io.asyncbatch.flink.sidecar.channel;

import io.asyncbatch.flink.proto.inference.ModelReadyRequest;
import io.asyncbatch.flink.proto.inference.ServerReadyRequest;
import io.asyncbatch.flink.sidecar.SidecarException;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import io.asyncbatch.flink.sidecar.SidecarOptions;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * Waits until the server and the model are ready, which takes from milliseconds to minutes. Used by
 * the task's thread, which it blocks.
 */
final class Readiness {

    /** A server that accepts connections and says nothing is asked again over another one. */
    private static final long LONGEST_ANSWER_NANOS = TimeUnit.SECONDS.toNanos(5);

    private static final long FIRST_PAUSE_MILLIS = 50;
    private static final long LONGEST_PAUSE_MILLIS = 1_000;

    private final SidecarClient client;
    private final SidecarOptions options;
    private final long deadlineNanos;

    /** Never counted down; waiting on it is a pause that an interruption ends. */
    private final CountDownLatch never = new CountDownLatch(1);

    Readiness(SidecarClient client) {
        this.client = client;
        this.options = client.options();
        this.deadlineNanos = System.nanoTime() + options.readyTimeout().toNanos();
    }

    /** What has to be answered with yes. */
    private interface Question {
        boolean ask(long nanos) throws SidecarException, InterruptedException;
    }

    /**
     * @throws SidecarException if the time is over, or the server says that it never will be ready
     */
    void await() throws SidecarException, InterruptedException {
        await("the server", this::serverIsReady);
        await("the model", this::modelIsReady);
    }

    private void await(String what, Question question)
            throws SidecarException, InterruptedException {
        String last = "it had not answered";
        for (long pause = FIRST_PAUSE_MILLIS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MILLIS)) {
            long left = deadlineNanos - System.nanoTime();
            if (left <= 0) {
                throw Kind.UNAVAILABLE.exception(
                        "%s: %s was not ready within readyTimeout=%s; at last %s"
                                .formatted(options, what, options.readyTimeout(), last));
            }
            try {
                if (question.ask(Math.min(left, LONGEST_ANSWER_NANOS))) {
                    return;
                }
                last = "it said that it was not";
            } catch (SidecarException failure) {
                if (!failure.isRetryable()) {
                    throw failure;
                }
                if (System.nanoTime() < deadlineNanos) {
                    // Of a question that the end of the time cut short nothing can be learnt.
                    last = failure.getMessage();
                }
                client.connectAtOnce();
            }
            never.await(pause, TimeUnit.MILLISECONDS);
        }
    }

    private boolean serverIsReady(long nanos) throws SidecarException, InterruptedException {
        return answer(
                        client.unary(
                                InferenceMethods.SERVER_READY,
                                ServerReadyRequest.getDefaultInstance(),
                                nanos))
                .getReady();
    }

    private boolean modelIsReady(long nanos) throws SidecarException, InterruptedException {
        return answer(
                        client.unary(
                                InferenceMethods.MODEL_READY,
                                ModelReadyRequest.newBuilder()
                                        .setName(options.modelName())
                                        .setVersion(options.modelVersion().orElse(""))
                                        .build(),
                                nanos))
                .getReady();
    }

    private static <A> A answer(java.util.concurrent.Future<A> future)
            throws SidecarException, InterruptedException {
        try {
            return future.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof SidecarException failure) {
                throw failure;
            }
            throw Kind.INTERNAL.exception(String.valueOf(e.getCause()));
        }
    }
}
