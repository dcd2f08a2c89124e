/**
 * What a provider's Batch API is to the operator: {@link
 * io.asyncbatch.flink.batchapi.client.BatchApi}, over HTTP in two shapes. Each call is one attempt
 * that never blocks; repeating it is up to the caller. Called by the operator's parts.
 */
package io.asyncbatch.flink.batchapi.client;
