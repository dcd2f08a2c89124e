/**
 * The order in which results leave: what may be emitted next, in ordered and in unordered mode, and
 * where watermarks stand between the rows. Called by the operator, in the mailbox thread.
 */
package io.asyncbatch.flink.operator.queue;
