package io.asyncbatch.flink.sidecar.channel;

import io.asyncbatch.flink.proto.inference.ModelInferResponse;
import io.asyncbatch.flink.sidecar.SidecarException;
import io.asyncbatch.flink.sidecar.SidecarException.Kind;
import io.asyncbatch.flink.sidecar.Tensor;
import io.asyncbatch.flink.sidecar.channel.RequestWriter.Written;
import io.grpc.Status;
import java.util.List;
import java.util.Locale;
import javax.annotation.Nullable;

/**
 * One inference from its submission to its outcome: waits for a slot, is sent, perhaps once more
 * without shared memory, and is answered, fails or is cancelled. Whatever comes first wins. Started
 * by the submitting or the channel's thread, cancelled by any.
 */
final class InferRequest implements PendingRequest, Runnable {

    private final SidecarClient client;
    private final String id;
    private final List<Tensor> inputs;
    private final List<String> outputs;
    private final AnswerHandler handler;

    /** Guarded by this, as are the two below. */
    @Nullable private UnaryCall<?, ModelInferResponse> call;

    private boolean holdsSlot;
    private boolean reported;

    InferRequest(
            SidecarClient client,
            String id,
            List<Tensor> inputs,
            List<String> outputs,
            AnswerHandler handler) {
        this.client = client;
        this.id = id;
        this.inputs = inputs;
        this.outputs = outputs;
        this.handler = handler;
    }

    @Override
    public void submit() {
        client.slots().submit(this);
    }

    /** Called with a slot. */
    @Override
    public void run() {
        synchronized (this) {
            holdsSlot = true;
        }
        client.metrics().requestStarted(bytes(inputs));
        long startedNanos = System.nanoTime();
        try {
            send(client.writer().write(id, inputs, outputs), startedNanos);
        } catch (RuntimeException | SidecarException failure) {
            end(failure);
        }
    }

    @Override
    public void cancel() {
        UnaryCall<?, ModelInferResponse> running;
        synchronized (this) {
            if (reported) {
                return;
            }
            reported = true;
            running = call;
        }
        if (running != null) {
            running.cancel();
        } else {
            client.slots().withdraw(this);
        }
    }

    private void send(Written written, long startedNanos) throws SidecarException {
        int size = written.message().getSerializedSize();
        int most = client.options().maxMessageBytes();
        if (size > most) {
            written.giveBack();
            throw Kind.INVALID_TENSOR.exception(
                    "%s: a request of %d bytes is larger than maxMessageBytes=%d"
                            .formatted(client.options(), size, most));
        }
        long nanos =
                client.options().requestTimeout().toNanos() - (System.nanoTime() - startedNanos);
        var next =
                client.newCall(
                        InferenceMethods.MODEL_INFER, nanos, new Attempt(written, startedNanos));
        boolean start;
        synchronized (this) {
            start = !reported;
            call = next;
        }
        if (start) {
            next.start(written.message(), client.headers());
        } else {
            written.giveBack();
            endSlot();
        }
    }

    private void end(Throwable failure) {
        endSlot();
        if (!report()) {
            return;
        }
        if (failure instanceof SidecarException known) {
            client.metrics().requestFailed(known);
        }
        handler.onFailure(failure);
    }

    private void endSlot() {
        synchronized (this) {
            if (!holdsSlot) {
                return;
            }
            holdsSlot = false;
        }
        client.metrics().requestEnded();
        client.slots().release();
    }

    /** Whether nothing has been reported; from now on something has. */
    private synchronized boolean report() {
        boolean first = !reported && !client.isClosed();
        reported = true;
        return first;
    }

    private static long bytes(List<Tensor> tensors) {
        return tensors.stream().mapToLong(tensor -> tensor.contents().remaining()).sum();
    }

    /** One sending of the request. */
    private final class Attempt implements UnaryCall.Outcome<ModelInferResponse> {

        private final Written written;
        private final long startedNanos;

        private Attempt(Written written, long startedNanos) {
            this.written = written;
            this.startedNanos = startedNanos;
        }

        @Override
        public void onAnswer(ModelInferResponse answer) {
            List<Tensor> tensors;
            try {
                tensors = client.reader().read(answer, id, outputs, written.outputs());
            } catch (SidecarException refused) {
                written.giveBack();
                end(refused);
                return;
            }
            client.metrics().requestAnswered(System.nanoTime() - startedNanos, bytes(tensors));
            Throwable failure = null;
            if (report()) {
                try {
                    handler.onOutputs(tensors);
                } catch (Throwable refused) {
                    failure = refused;
                }
            }
            written.giveBack();
            endSlot();
            if (failure != null) {
                handler.onFailure(failure);
            }
        }

        @Override
        public void onFailure(SidecarException failure, Status status) {
            if (written.isShared() && isAboutMemory(status)) {
                sendInline();
                return;
            }
            if (serverIsDone(status)) {
                written.giveBack();
            } else {
                written.lose();
                client.replaceWornMemory();
            }
            end(failure);
        }

        /** The server was restarted, and does not know the memory of the one before it. */
        private void sendInline() {
            var area = written.area();
            written.lose();
            client.memory().forgotten(area);
            try {
                send(client.writer().inline(id, inputs, outputs), startedNanos);
            } catch (RuntimeException | SidecarException e) {
                end(e);
            }
        }
    }

    /** There is no code for it: servers say it in words, and under various codes. */
    private static boolean isAboutMemory(Status status) {
        return switch (status.getCode()) {
            case NOT_FOUND, INVALID_ARGUMENT, FAILED_PRECONDITION, UNIMPLEMENTED, INTERNAL ->
                    String.valueOf(status.getDescription())
                            .toLowerCase(Locale.ROOT)
                            .contains("shared memory");
            default -> false;
        };
    }

    /** After these the server has refused the request, or has done with it. */
    private static boolean serverIsDone(Status status) {
        return switch (status.getCode()) {
            case NOT_FOUND,
                    INVALID_ARGUMENT,
                    RESOURCE_EXHAUSTED,
                    UNIMPLEMENTED,
                    UNAUTHENTICATED,
                    PERMISSION_DENIED ->
                    true;
            default -> false;
        };
    }
}
