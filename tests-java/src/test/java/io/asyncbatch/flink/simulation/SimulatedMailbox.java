package io.asyncbatch.flink.simulation;

import java.util.ArrayDeque;
import java.util.concurrent.RejectedExecutionException;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.util.function.ThrowingRunnable;

/**
 * The mailbox of a simulated task. Where the operator waits in it for a mail, the rest of the world
 * goes on until there is one. Used by one thread.
 */
final class SimulatedMailbox implements MailboxExecutor {

    /** What goes on while an operator waits. */
    @FunctionalInterface
    interface World {

        /** Has things happen until there is a mail or one was run, or fails if nothing can. */
        void goOnUntilMail(SimulatedMailbox waiting);
    }

    /** Far more than a task gets whose mails do not bring about one another for ever. */
    private static final int MOST_MAILS = 100_000;

    private record Mail(ThrowingRunnable<? extends Exception> action, String what) {}

    private final ArrayDeque<Mail> mails = new ArrayDeque<>();
    private final String owner;
    private final World world;
    private final Trace trace;
    private int waits;
    private long served;
    private long servedBefore;
    private boolean closed;

    SimulatedMailbox(String owner, World world, Trace trace) {
        this.owner = owner;
        this.world = world;
        this.trace = trace;
    }

    @Override
    public void execute(
            MailOptions options,
            ThrowingRunnable<? extends Exception> command,
            String descriptionFormat,
            Object... descriptionArgs) {
        if (closed) {
            throw new RejectedExecutionException("the mailbox is closed");
        }
        mails.add(new Mail(command, descriptionFormat.formatted(descriptionArgs)));
    }

    @Override
    public void yield() throws InterruptedException {
        waits++;
        servedBefore = served;
        try {
            world.goOnUntilMail(this);
            if (waitsInVain()) {
                runMail();
            }
        } finally {
            waits--;
        }
    }

    @Override
    public boolean tryYield() {
        boolean has = hasMail();
        if (has) {
            runMail();
        }
        return has;
    }

    @Override
    public boolean shouldInterrupt() {
        return false;
    }

    boolean hasMail() {
        return !mails.isEmpty();
    }

    /** Whether no mail has been run since the operator began to wait, as it does. */
    boolean waitsInVain() {
        return waits > 0 && served == servedBefore;
    }

    /** Whether the operator waits in here for a mail. */
    boolean isWaitedIn() {
        return waits > 0;
    }

    /** Runs the mail that came first. What it throws is the failure of the task. */
    void runMail() {
        Mail mail = mails.remove();
        if (++served > MOST_MAILS) {
            throw new AssertionError(owner + " gets mails for ever, the last one: " + mail.what());
        }
        trace.say("%s: mail, %s", owner, mail.what());
        try {
            mail.action().run();
        } catch (Exception failure) {
            throw new TaskFailed(failure);
        }
    }

    /** The task ended: nothing is taken any more, and what is there does not run. */
    void close() {
        closed = true;
        mails.clear();
    }
}
