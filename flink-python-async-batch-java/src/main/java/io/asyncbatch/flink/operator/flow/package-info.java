/**
 * The way of rows through the operator: which batch each joins, whose outcome it gets and when that
 * leaves. Called by the operator, in the mailbox thread.
 */
package io.asyncbatch.flink.operator.flow;
