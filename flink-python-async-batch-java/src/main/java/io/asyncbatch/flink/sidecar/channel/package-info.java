/**
 * One subtask's conversation with a model server: the channel, its requests and what their answers
 * mean. Called by the sidecar functions; answers come from the channel's thread.
 */
package io.asyncbatch.flink.sidecar.channel;
