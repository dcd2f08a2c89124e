/** Tests of how the operator's state is written. */
package io.asyncbatch.flink.operator.state;
