/**
 * How much a backend is asked to do at a time: pure algorithms that find the limit, and what holds
 * callers to it. Nothing here knows an operator, a thread or a clock: times are nanoseconds that
 * the caller passes in, of any origin unless a class says otherwise. Called by the operator;
 * algorithms are owned by one thread, {@link io.asyncbatch.flink.limit.BackendControl} may be
 * shared.
 */
package io.asyncbatch.flink.limit;
