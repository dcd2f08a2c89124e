package io.asyncbatch.flink.sidecar.channel;

import io.grpc.ConnectivityState;
import io.grpc.ManagedChannel;
import java.time.Duration;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Follows a channel's connection: counts reconnections, and keeps the pauses between attempts below
 * a bound, which gRPC lets nobody set. Its callbacks come from the channel's thread.
 */
final class ConnectionWatch {

    private final ManagedChannel channel;
    private final ScheduledExecutorService executor;
    private final Duration maxDelay;
    private final SidecarMetrics metrics;
    private boolean connectedBefore;
    private boolean attemptScheduled;

    ConnectionWatch(
            ManagedChannel channel,
            ScheduledExecutorService executor,
            Duration maxDelay,
            SidecarMetrics metrics) {
        this.channel = channel;
        this.executor = executor;
        this.maxDelay = maxDelay;
        this.metrics = metrics;
    }

    void start() {
        watch(channel.getState(false));
    }

    private void watch(ConnectivityState state) {
        if (state != ConnectivityState.SHUTDOWN) {
            channel.notifyWhenStateChanged(state, this::onChange);
        }
    }

    private void onChange() {
        ConnectivityState state = channel.getState(false);
        synchronized (this) {
            if (state == ConnectivityState.READY) {
                if (connectedBefore) {
                    metrics.reconnected();
                }
                connectedBefore = true;
            } else if (state == ConnectivityState.TRANSIENT_FAILURE) {
                scheduleAttempt();
            }
        }
        watch(state);
    }

    private void scheduleAttempt() {
        if (attemptScheduled || executor.isShutdown()) {
            return;
        }
        attemptScheduled = true;
        executor.schedule(this::attempt, maxDelay.toMillis(), TimeUnit.MILLISECONDS);
    }

    /** Once the connection is lost a channel says so until it has another one. */
    private synchronized void attempt() {
        attemptScheduled = false;
        if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
            channel.resetConnectBackoff();
            scheduleAttempt();
        }
    }
}
