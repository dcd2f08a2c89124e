/**
 * Functions that have a model server next door compute batches, over the Open Inference Protocol.
 * They are ordinary functions of Flink's asynchronous operators and of ours.
 */
package io.asyncbatch.flink.sidecar;
