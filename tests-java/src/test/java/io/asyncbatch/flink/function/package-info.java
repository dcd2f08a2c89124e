/** Java functions as invokers: what they may tell, and when a call is repeated. */
package io.asyncbatch.flink.function;
