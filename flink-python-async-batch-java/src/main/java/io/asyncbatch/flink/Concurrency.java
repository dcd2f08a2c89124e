package io.asyncbatch.flink;

import java.io.Serializable;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import org.apache.flink.annotation.PublicEvolving;

/**
 * How many calls may be in flight at a time: a number, or what the backend turns out to take. A
 * batch that waits to be called again has no call in flight. Immutable.
 *
 * <p>It holds for a subtask, unless a {@linkplain AsyncBatchOptions.Builder#backend backend} is
 * named: then a number is what all subtasks of the operator have together, and an adaptive limit
 * one that all subtasks of a TaskManager share.
 */
@PublicEvolving
public final class Concurrency implements Serializable {

    private static final long serialVersionUID = 1L;

    private static final int USUAL_INITIAL = 4;

    private final boolean adaptive;
    private final int least;

    /** Null for as many as capacity allows. */
    private final Integer most;

    /** Null for the usual. */
    private final Integer initial;

    private Concurrency(boolean adaptive, int least, Integer most, Integer initial) {
        this.adaptive = adaptive;
        this.least = least;
        this.most = most;
        this.initial = initial;
    }

    /**
     * A number of calls.
     *
     * @param calls at least 1
     * @throws IllegalArgumentException if it is less
     */
    public static Concurrency fixed(int calls) {
        requirePositive("concurrency", calls);
        return new Concurrency(false, calls, calls, calls);
    }

    /**
     * Found from how long calls take and how they end, between one and what {@code capacity}
     * allows. Needs some ten calls to know anything, and calls of which those with as many rows
     * take about as long.
     */
    public static Concurrency adaptive() {
        return adaptiveFrom(1);
    }

    /**
     * Found likewise, from a number of calls to what {@code capacity} allows.
     *
     * @param least fewest calls that are ever allowed, at least 1
     * @throws IllegalArgumentException if it is less
     */
    public static Concurrency adaptiveFrom(int least) {
        requirePositive("least concurrency", least);
        return new Concurrency(true, least, null, null);
    }

    /**
     * Found likewise, within bounds.
     *
     * @param least fewest calls that are ever allowed, at least 1
     * @param most most calls that are ever allowed, at least {@code least}
     * @throws IllegalArgumentException if one is out of its range
     */
    public static Concurrency adaptive(int least, int most) {
        requirePositive("least concurrency", least);
        if (most < least) {
            throw new IllegalArgumentException(
                    "most concurrency must be at least the least one, " + least + ", got " + most);
        }
        return new Concurrency(true, least, most, null);
    }

    /**
     * The same, beginning with so many calls rather than with 4, or as near to them as the bounds
     * are.
     *
     * @param calls within the bounds
     * @throws IllegalArgumentException if they are not, or if the number of calls is fixed
     */
    public Concurrency withInitial(int calls) {
        if (!adaptive) {
            throw new IllegalArgumentException(
                    "initial concurrency is for adaptive concurrency, and it is fixed to " + least);
        }
        if (calls < least || most != null && calls > most) {
            throw new IllegalArgumentException(
                    "initial concurrency must be at least "
                            + least
                            + (most == null ? "" : " and at most " + most)
                            + ", got "
                            + calls);
        }
        return new Concurrency(true, least, most, calls);
    }

    public boolean isAdaptive() {
        return adaptive;
    }

    /** Fewest calls that are ever allowed; the number of calls if it is fixed. */
    public int getLeast() {
        return least;
    }

    /** Most calls that are ever allowed, if that was said; the number of calls if it is fixed. */
    public OptionalInt getMost() {
        return most == null ? OptionalInt.empty() : OptionalInt.of(most);
    }

    /**
     * What it begins with.
     *
     * @param otherwiseMost most calls that are allowed if that was not said
     */
    public int getInitial(int otherwiseMost) {
        return Optional.ofNullable(initial)
                .orElseGet(
                        () ->
                                Math.min(
                                        Math.max(USUAL_INITIAL, least),
                                        getMost().orElse(otherwiseMost)));
    }

    private static void requirePositive(String option, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(option + " must be positive, got " + value);
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Concurrency that
                && adaptive == that.adaptive
                && least == that.least
                && Objects.equals(most, that.most)
                && Objects.equals(initial, that.initial);
    }

    @Override
    public int hashCode() {
        return Objects.hash(adaptive, least, most, initial);
    }

    @Override
    public String toString() {
        if (!adaptive) {
            return Integer.toString(least);
        }
        return "adaptive from "
                + least
                + (most == null ? "" : " to " + most)
                + (initial == null ? "" : ", initially " + initial);
    }
}
