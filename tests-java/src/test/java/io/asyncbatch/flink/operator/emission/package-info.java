/** Tests of what the operators have in common. */
package io.asyncbatch.flink.operator.emission;
