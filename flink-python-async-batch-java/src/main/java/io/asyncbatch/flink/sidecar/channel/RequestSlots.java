package io.asyncbatch.flink.sidecar.channel;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.TimeUnit;

/**
 * Lets a bounded number of requests be at the server, first come first served. Thread-safe; never
 * blocks but where it says so.
 */
final class RequestSlots {

    private final int slots;
    private final Queue<Runnable> waiting = new ArrayDeque<>();
    private int taken;
    private boolean starting;

    RequestSlots(int slots) {
        this.slots = slots;
    }

    /** Runs the request's start as soon as it has a slot, which may be now. */
    void submit(Runnable start) {
        synchronized (this) {
            waiting.add(start);
        }
        startWaiting();
    }

    /** A request that was started ended. */
    void release() {
        synchronized (this) {
            taken--;
            notifyAll();
        }
        startWaiting();
    }

    /** Whether it was still waiting, and waits no more. */
    synchronized boolean withdraw(Runnable start) {
        boolean withdrawn = waiting.remove(start);
        notifyAll();
        return withdrawn;
    }

    /** Forgets the requests that wait. */
    synchronized void clear() {
        waiting.clear();
        notifyAll();
    }

    /**
     * Blocks until no request is at the server and none waits, or the time has passed.
     *
     * @return how many are left
     */
    synchronized int awaitIdle(long nanos) throws InterruptedException {
        long deadline = System.nanoTime() + nanos;
        while (taken + waiting.size() > 0) {
            long left = deadline - System.nanoTime();
            if (left <= 0) {
                break;
            }
            TimeUnit.NANOSECONDS.timedWait(this, left);
        }
        return taken + waiting.size();
    }

    /**
     * A request that fails while it is started releases its slot: that must not nest ever deeper.
     */
    private void startWaiting() {
        synchronized (this) {
            if (starting) {
                return;
            }
            starting = true;
        }
        while (true) {
            Runnable start;
            synchronized (this) {
                start = taken < slots ? waiting.poll() : null;
                if (start == null) {
                    starting = false;
                    return;
                }
                taken++;
            }
            start.run();
        }
    }
}
