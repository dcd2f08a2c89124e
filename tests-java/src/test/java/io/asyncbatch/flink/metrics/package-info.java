/** What tests of metrics share. */
package io.asyncbatch.flink.metrics;
