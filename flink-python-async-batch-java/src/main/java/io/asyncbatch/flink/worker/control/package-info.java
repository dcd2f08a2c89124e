/**
 * Control of a worker over Beam's portability classes: servers on loopback behind a secret, start
 * of the worker's process, the stage with the ASYNC_BATCH transform, the one bundle that stays open
 * for the worker's life, logs and metrics. Batches do not pass here.
 */
package io.asyncbatch.flink.worker.control;
