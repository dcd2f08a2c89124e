/**
 * Java functions as invokers: the call, its result future, and the retry strategy's decision.
 * Called by the operator, in the mailbox thread; results come from any thread.
 */
package io.asyncbatch.flink.function;
