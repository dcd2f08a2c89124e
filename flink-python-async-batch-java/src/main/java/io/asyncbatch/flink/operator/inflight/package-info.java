/**
 * One batch's life from the moment it closes: its state machine, its slot, its deadline, its
 * results. Called by the operator and the queues, in the mailbox thread.
 */
package io.asyncbatch.flink.operator.inflight;
