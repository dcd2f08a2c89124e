package io.asyncbatch.flink.batchapi.client;

import org.apache.flink.annotation.Internal;

/**
 * What one file of requests may hold. Immutable.
 *
 * @param requests most requests
 * @param fileBytes most bytes, line feeds included
 */
@Internal
public record ApiLimits(int requests, long fileBytes) {}
