/**
 * Forms batches out of rows: when a batch closes, and why. Called by the operator, in the mailbox
 * thread.
 */
package io.asyncbatch.flink.operator.buffer;
