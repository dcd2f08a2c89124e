package io.asyncbatch.flink.operator.inflight;

import io.asyncbatch.flink.invoker.BatchRequest;
import io.asyncbatch.flink.operator.inflight.CallAdmission.Answer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.function.BooleanSupplier;
import javax.annotation.Nullable;

/**
 * The calls that are to be made as soon as they may be, and their order: those whose turn the
 * {@link CallGate} says it is; then those for rows that were called for before, which have a
 * deadline already; then those of batches that are new. All of them wait where somebody has to,
 * except that a retry for which there is no budget lets others go first. Nobody starves: a batch
 * leaves the second group by its deadline at the latest. Owned by the mailbox thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
final class PendingCalls<IN, OUT> {

    /**
     * Makes calls. The answer is {@link Answer#GO}, or {@link Answer#REFUSED} for a call that fails
     * in place of being made.
     */
    interface Maker<IN, OUT> {

        /** The first call for a batch. */
        void dispatch(Batch<IN, OUT> batch, Answer answer) throws Exception;

        /** The next part of a batch, when it is its turn, with a new deadline. */
        void callInTurn(Batch<IN, OUT> batch, Answer answer) throws Exception;

        /** The next part of a batch, before the deadline that it has. */
        void callPart(Batch<IN, OUT> batch, Answer answer) throws Exception;

        /** The same call once more. */
        void repeat(Batch<IN, OUT> batch, BatchRequest<IN> failed, Answer answer) throws Exception;

        /** The next call of a batch, whose turn it is otherwise, may not begin yet. */
        void awaitsPermit(Batch<IN, OUT> batch);

        /** Whether a batch is to be closed as soon as it would be called for at once. */
        boolean wantsRoom();

        /** A batch that comes now is called for at once, and that is wanted. */
        void hasRoom() throws Exception;
    }

    /**
     * A call for rows that were called for before.
     *
     * @param failed what to repeat; null to call for the next part
     */
    private record Due<IN, OUT>(Batch<IN, OUT> batch, @Nullable BatchRequest<IN> failed) {

        /** Whether the deadline has not been faster. */
        boolean isWanted() {
            return failed == null ? batch.awaitsCall() : batch.awaitsRetry(failed);
        }
    }

    private final CallGate<IN, OUT> gate;
    private final Slots<IN, OUT> slots;
    private final CallAdmission admission;
    private final BooleanSupplier idle;
    private final Maker<IN, OUT> maker;

    private final Deque<Due<IN, OUT>> due = new ArrayDeque<>(0);

    /** Whether a call that is due could not be made when that was tried last. */
    private boolean dueWaits;

    private boolean making;
    private boolean again;

    /**
     * @param idle whether no call is under way
     */
    PendingCalls(
            CallGate<IN, OUT> gate,
            Slots<IN, OUT> slots,
            CallAdmission admission,
            BooleanSupplier idle,
            Maker<IN, OUT> maker) {
        this.gate = gate;
        this.slots = slots;
        this.admission = admission;
        this.idle = idle;
        this.maker = maker;
    }

    /** The delay before a retry is over. */
    void addRetry(Batch<IN, OUT> batch, BatchRequest<IN> failed) {
        due.add(new Due<>(batch, failed));
    }

    /** What is left of a batch is to be called for, part by part. */
    void addPart(Batch<IN, OUT> batch) {
        batch.awaitCall();
        due.add(new Due<>(batch, null));
    }

    /** Whether the call of a batch that comes now is made at once, unless it is too heavy. */
    boolean hasRoom() {
        return gate.isOpenToAll() && slots.hasFree() && !dueWaits && admission.hasRoom();
    }

    /** Makes what may be made now. A call of this by what it calls comes after it. */
    void makeAll() throws Exception {
        again = true;
        if (making) {
            return;
        }
        making = true;
        try {
            while (again) {
                again = false;
                makeSome();
            }
        } finally {
            making = false;
        }
        if (maker.wantsRoom() && hasRoom()) {
            maker.hasRoom();
            // Nothing else may have been waited for.
            makeAll();
        }
    }

    private void makeSome() throws Exception {
        dueWaits = false;
        boolean nobodyWaits = makeInTurn() && makeDue() && makeNew();
        if (nobodyWaits && !(maker.wantsRoom() && slots.hasFree())) {
            if (due.isEmpty()) {
                admission.nothingWaits();
            } else {
                admission.onlyRetriesWait();
            }
        }
    }

    /**
     * @return false if others cannot go either
     */
    private boolean makeInTurn() throws Exception {
        while (!gate.isOpenToAll()) {
            Batch<IN, OUT> next = gate.peek(idle);
            if (next == null) {
                admission.nothingWaits();
                return false;
            }
            // Whatever it was called for before, that it is called for now repeats no failure.
            Answer answer = admission.ask(next, 1, next.calls().nextPartSize());
            if (answer == Answer.WAIT) {
                maker.awaitsPermit(next);
                return false;
            }
            gate.take();
            maker.callInTurn(next, answer);
        }
        return true;
    }

    private boolean makeDue() throws Exception {
        if (due.isEmpty()) {
            return true;
        }
        Deque<Due<IN, OUT>> held = new ArrayDeque<>();
        boolean mayGoOn = true;
        boolean retriesWait = false;
        while (mayGoOn && gate.isOpenToAll() && !due.isEmpty()) {
            Due<IN, OUT> next = due.remove();
            if (!next.isWanted()) {
                continue;
            }
            Answer answer = retriesWait && next.failed() != null ? Answer.RETRIES_WAIT : ask(next);
            if (answer == Answer.GO || answer == Answer.REFUSED) {
                make(next, answer);
            } else {
                held.add(next);
                maker.awaitsPermit(next.batch());
                retriesWait |= answer == Answer.RETRIES_WAIT;
                mayGoOn = answer != Answer.WAIT;
            }
        }
        while (!held.isEmpty()) {
            due.addFirst(held.removeLast());
        }
        dueWaits = !mayGoOn;
        return mayGoOn;
    }

    private Answer ask(Due<IN, OUT> next) {
        BatchCalls<IN> calls = next.batch().calls();
        // Halves are other calls, not the one that failed once more.
        return next.failed() == null
                ? admission.ask(next.batch(), 1, calls.nextPartSize())
                : admission.ask(next.batch(), next.failed().attempt() + 1, calls.unsettledCount());
    }

    private void make(Due<IN, OUT> next, Answer answer) throws Exception {
        if (next.failed() == null) {
            maker.callPart(next.batch(), answer);
        } else {
            maker.repeat(next.batch(), next.failed(), answer);
        }
    }

    private boolean makeNew() throws Exception {
        while (gate.isOpenToAll()) {
            Batch<IN, OUT> next = slots.next();
            if (next == null) {
                return true;
            }
            Answer answer = admission.ask(next, 1, next.size());
            if (answer == Answer.WAIT) {
                maker.awaitsPermit(next);
                return false;
            }
            slots.take();
            maker.dispatch(next, answer);
        }
        again = true;
        return true;
    }

    /** Nobody waits any more. */
    void close() {
        due.clear();
        gate.close();
        slots.close();
    }
}
