/**
 * The private channel that carries batches between one operator and its worker: listening socket,
 * handshake, framing. Knows nothing of Arrow types, Flink operators or processes.
 */
package io.asyncbatch.flink.worker.channel;
