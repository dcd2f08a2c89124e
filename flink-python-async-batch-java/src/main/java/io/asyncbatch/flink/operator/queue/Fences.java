package io.asyncbatch.flink.operator.queue;

import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.function.Consumer;
import javax.annotation.Nullable;

/** What stands between the rows, by position. Owned by the mailbox thread. */
final class Fences {

    private static final long NONE = Long.MAX_VALUE;

    private final ArrayDeque<Fence> fences = new ArrayDeque<>();

    boolean isEmpty() {
        return fences.isEmpty();
    }

    /** Position of the first fence; larger than every position if there is none. */
    long firstPosition() {
        Fence first = fences.peek();
        return first == null ? NONE : first.position();
    }

    /** The fence behind all others, at the position of the row that comes next. */
    Fence at(long position) {
        Fence last = fences.peekLast();
        if (last == null || last.position() != position) {
            last = new Fence(position);
            fences.add(last);
        }
        return last;
    }

    /** Takes the first one, which there is. */
    Fence take() {
        return fences.remove();
    }

    /** Saves the fences among rows that are saved in their order. */
    <IN, OUT> Saving<IN, OUT> saving(Consumer<SavedElement<IN, OUT>> snapshot) {
        return new Saving<>(fences.iterator(), snapshot);
    }

    /** How far a snapshot has come. */
    static final class Saving<IN, OUT> {

        private final Iterator<Fence> remaining;
        private final Consumer<SavedElement<IN, OUT>> snapshot;
        @Nullable private Fence next;

        private Saving(Iterator<Fence> fences, Consumer<SavedElement<IN, OUT>> snapshot) {
            this.remaining = fences;
            this.snapshot = snapshot;
            advance();
        }

        /** To be called before the row at the position is saved. */
        void upTo(long position) {
            while (next != null && next.position() <= position) {
                // Status and attributes are no state: after a restore Flink starts as active, and a
                // restored idleness that nobody takes back would hold all watermarks back for ever.
                if (next.watermark() != null) {
                    snapshot.accept(new SavedElement.Mark<>(next.watermark().getTimestamp()));
                }
                advance();
            }
        }

        /** To be called behind the last row. */
        void rest() {
            upTo(NONE);
        }

        private void advance() {
            next = remaining.hasNext() ? remaining.next() : null;
        }
    }
}
