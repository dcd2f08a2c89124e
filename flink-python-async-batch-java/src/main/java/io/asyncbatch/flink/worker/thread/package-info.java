/**
 * Python inside this JVM: the thread that stays in the interpreter, and the port where its event
 * loop and the operator meet. Knows nothing of elements.
 */
package io.asyncbatch.flink.worker.thread;
