/** What may leave next. */
package io.asyncbatch.flink.operator.queue;
