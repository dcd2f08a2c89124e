package io.asyncbatch.flink.sidecar.channel;

import io.asyncbatch.flink.sidecar.SidecarException;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientStreamTracer;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import java.util.concurrent.TimeUnit;
import javax.annotation.Nullable;

/**
 * One call to the server: a request, and an answer or a failure. Its callbacks come from the
 * channel's thread.
 *
 * @param <Q> type of the request
 * @param <A> type of the answer
 */
final class UnaryCall<Q, A> extends ClientCall.Listener<A> {

    /** How a call ended. One of both is called, once. */
    interface Outcome<A> {

        void onAnswer(A answer);

        /**
         * @param status as gRPC has it
         */
        void onFailure(SidecarException failure, Status status);
    }

    private final ClientCall<Q, A> call;
    private final Outcome<A> outcome;
    private final String target;
    @Nullable private A answer;
    private boolean answeredTwice;
    private volatile boolean reachedConnection;

    /**
     * Prepares a call, which waits for a connection as long as its time allows.
     *
     * @param nanos from {@link #start} to the answer
     * @param target names server and model
     */
    UnaryCall(
            Channel channel,
            MethodDescriptor<Q, A> method,
            long nanos,
            String target,
            Outcome<A> outcome) {
        this.outcome = outcome;
        this.target = target;
        this.call =
                channel.newCall(
                        method,
                        CallOptions.DEFAULT
                                .withDeadlineAfter(nanos, TimeUnit.NANOSECONDS)
                                .withWaitForReady()
                                .withStreamTracerFactory(new ConnectionTracerFactory()));
    }

    /** Sends. Never blocks. */
    void start(Q request, Metadata headers) {
        call.start(this, headers);
        try {
            call.request(2);
            call.sendMessage(request);
            call.halfClose();
        } catch (RuntimeException | Error e) {
            call.cancel("the request could not be sent", e);
        }
    }

    /** Has the server told that nobody waits any more. The outcome is a failure, if it was open. */
    void cancel() {
        call.cancel("cancelled by the client", null);
    }

    @Override
    public void onMessage(A message) {
        if (answer == null) {
            answer = message;
        } else {
            answeredTwice = true;
        }
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
        if (!status.isOk()) {
            outcome.onFailure(failure(status, trailers), status);
        } else if (answer == null || answeredTwice) {
            String count = answer == null ? "no answer" : "more than one answer";
            outcome.onFailure(
                    Kind.INTERNAL.exception("%s: the server sent %s".formatted(target, count)),
                    Status.INTERNAL);
        } else {
            outcome.onAnswer(answer);
        }
    }

    /** To gRPC a request that no connection was there for has met its deadline like any other. */
    private SidecarException failure(Status status, Metadata trailers) {
        if (status.getCode() == Status.Code.DEADLINE_EXCEEDED && !reachedConnection) {
            return Kind.UNAVAILABLE.exception(
                    target + ": there was no connection to the server within the request's time");
        }
        return StatusFailures.of(status, trailers, target);
    }

    private final class ConnectionTracerFactory extends ClientStreamTracer.Factory {
        @Override
        public ClientStreamTracer newClientStreamTracer(
                ClientStreamTracer.StreamInfo info, Metadata headers) {
            return new ClientStreamTracer() {
                @Override
                public void outboundHeaders() {
                    reachedConnection = true;
                }
            };
        }
    }
}
