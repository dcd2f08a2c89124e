package io.asyncbatch.flink.benchmark.overload;

import java.util.ArrayDeque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.Set;
import java.util.function.Consumer;

/** A model server as {@link BackendModel} describes it, first come first served. */
final class SimulatedBackend {

    private final VirtualTime time;
    private final BackendModel model;
    private final Trace.Stragglers stragglers;
    private final Random random;
    private final Queue<Call> queue = new ArrayDeque<>();
    private final Set<Call> accepted = new LinkedHashSet<>();
    private int busy;
    private double weight;
    private double slowness = 1;
    private boolean out;

    /** How a call ended. */
    enum Answer {
        DONE,
        TOO_MANY,
        OUT_OF_MEMORY,
        UNAVAILABLE
    }

    /** A call that was made; the answer comes once, unless it is cancelled. */
    final class Call {
        private final double callWeight;
        private final Consumer<Answer> client;
        private boolean cancelled;

        private Call(double callWeight, Consumer<Answer> client) {
            this.callWeight = callWeight;
            this.client = client;
        }

        /** The client does not wait any more. A call that runs cannot be stopped. */
        void cancel() {
            cancelled = true;
            if (queue.remove(this)) {
                leave(this);
            }
        }

        private void answer(Answer answer) {
            time.after(
                    wireNanos(),
                    () -> {
                        if (!cancelled) {
                            client.accept(answer);
                        }
                    });
        }
    }

    SimulatedBackend(VirtualTime time, BackendModel model, Trace.Stragglers stragglers, long seed) {
        this.stragglers = stragglers;
        this.time = time;
        this.model = model;
        this.random = new Random(seed);
    }

    /** Sends a batch. */
    Call call(double batchWeight, Consumer<Answer> client) {
        Call call = new Call(batchWeight, client);
        time.after(wireNanos(), () -> accept(call));
        return call;
    }

    /** From now on calls that begin take so many times as long. */
    void slowDown(double factor) {
        slowness = factor;
    }

    /** It dies, with all that it was doing. */
    void die() {
        out = true;
        queue.clear();
        busy = 0;
        weight = 0;
        List<Call> lost = List.copyOf(accepted);
        accepted.clear();
        lost.forEach(call -> call.answer(Answer.UNAVAILABLE));
    }

    /** It is back, with nothing to do. */
    void comeBack() {
        out = false;
    }

    private void accept(Call call) {
        if (call.cancelled) {
            return;
        }
        if (out) {
            call.answer(Answer.UNAVAILABLE);
        } else if (weight + call.callWeight > model.refusalWeight()) {
            call.answer(Answer.TOO_MANY);
        } else {
            weight += call.callWeight;
            accepted.add(call);
            queue.add(call);
            startNext();
        }
    }

    private void startNext() {
        while (busy < model.executors() && !queue.isEmpty()) {
            Call call = queue.poll();
            busy++;
            boolean fails =
                    weight > model.failureWeight()
                            && random.nextDouble() < model.failureProbability();
            double seconds = serviceSeconds(call) * (fails ? 0.5 : 1);
            Answer answer = fails ? Answer.OUT_OF_MEMORY : Answer.DONE;
            time.after(VirtualTime.nanosOf(seconds), () -> finish(call, answer));
        }
    }

    private double serviceSeconds(Call call) {
        double excess = Math.max(1, weight / model.kneeWeight());
        return (model.constantSeconds() + model.secondsPerWeight() * call.callWeight)
                * Math.exp(model.jitter() * random.nextGaussian())
                * slowness
                * straggling()
                * excess
                * excess;
    }

    private double straggling() {
        return stragglers.share() > 0 && random.nextDouble() < stragglers.share()
                ? stragglers.factor()
                : 1;
    }

    private void finish(Call call, Answer answer) {
        if (accepted.contains(call)) {
            busy--;
            leave(call);
            call.answer(answer);
            startNext();
        }
    }

    private void leave(Call call) {
        accepted.remove(call);
        weight -= call.callWeight;
    }

    private long wireNanos() {
        return VirtualTime.nanosOf(model.wireSeconds() * (0.8 + 0.4 * random.nextDouble()));
    }
}
