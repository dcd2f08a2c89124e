/**
 * What Java users import for providers' Batch APIs: {@link
 * io.asyncbatch.flink.batchapi.BatchInference}, its codec and its options.
 */
package io.asyncbatch.flink.batchapi;
