/** Tests of what decides when a batch closes, without an operator around it. */
package io.asyncbatch.flink.operator.buffer;
