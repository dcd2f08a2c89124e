package io.asyncbatch.flink;

import java.io.Serializable;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.functions.Function;

/**
 * Says what a row weighs in the unit of whatever computes it: tokens, pixels, bytes. Called once
 * for a row, and again after a restore, by the task's thread, so it must be quick. What it throws
 * fails the task.
 *
 * @param <T> type of the rows
 */
@PublicEvolving
@FunctionalInterface
public interface WeightFunction<T> extends Function, Serializable {

    /** The weight of the row, at least 0. */
    long weigh(T row) throws Exception;
}
