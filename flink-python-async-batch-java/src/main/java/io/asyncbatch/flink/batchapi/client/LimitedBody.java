package io.asyncbatch.flink.batchapi.client;

import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;

/**
 * Ends a response that is larger than it may be, before it is held or written. Called by the HTTP
 * client, one call at a time.
 */
final class LimitedBody<T> implements BodySubscriber<T> {

    private final BodySubscriber<T> target;
    private final long mostBytes;
    private Flow.Subscription subscription;
    private long received;

    LimitedBody(BodySubscriber<T> target, long mostBytes) {
        this.target = target;
        this.mostBytes = mostBytes;
    }

    @Override
    public void onSubscribe(Flow.Subscription newSubscription) {
        subscription = newSubscription;
        target.onSubscribe(newSubscription);
    }

    @Override
    public void onNext(List<ByteBuffer> buffers) {
        if (received > mostBytes) {
            return;
        }
        for (ByteBuffer buffer : buffers) {
            received += buffer.remaining();
        }
        if (received > mostBytes) {
            subscription.cancel();
            target.onError(
                    BatchApiException.rejected(
                            "the answer is larger than the " + mostBytes + " bytes it may have"));
        } else {
            target.onNext(buffers);
        }
    }

    @Override
    public void onError(Throwable failure) {
        if (received <= mostBytes) {
            target.onError(failure);
        }
    }

    @Override
    public void onComplete() {
        if (received <= mostBytes) {
            target.onComplete();
        }
    }

    @Override
    public CompletionStage<T> getBody() {
        return target.getBody();
    }
}
