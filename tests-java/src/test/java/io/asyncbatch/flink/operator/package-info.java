/** Tests of the batching operator, on a manual clock and a fake invoker. */
package io.asyncbatch.flink.operator;
