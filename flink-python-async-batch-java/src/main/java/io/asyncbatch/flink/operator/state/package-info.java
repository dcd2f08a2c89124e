/**
 * What a snapshot of the operator holds, row by row, and how it is written. Called by the operator;
 * the serializers also by Flink's state backend, each thread with its own duplicate.
 */
package io.asyncbatch.flink.operator.state;
