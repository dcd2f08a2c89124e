package io.asyncbatch.flink;

import org.apache.flink.annotation.PublicEvolving;

/**
 * A failure that says that the backend is overloaded or away, and not that the call was wrong: HTTP
 * 429 or 503, gRPC's UNAVAILABLE or RESOURCE_EXHAUSTED. An exception of a function may implement
 * it, or have one that does among its causes. It is what an adaptive {@link Concurrency} goes down
 * for and what opens a {@linkplain CircuitBreakerOptions circuit breaker}.
 *
 * <p>One that is a {@link RetryAfter} too stops all calls to the backend for that long.
 */
@PublicEvolving
public interface BackendOverload {}
