package io.asyncbatch.flink.limit;

import javax.annotation.Nullable;
import org.apache.flink.annotation.Internal;

/**
 * A backend as its callers in this JVM see it.
 *
 * @param control what holds them to its limits
 * @param parts what they bring with them, if the limit is the sum of it; else null
 * @param zeroNanos what each of them adds to a monotonic clock of its own, so that all mean the
 *     same by a time, and callers in other JVMs nearly so
 */
@Internal
public record Backend(BackendControl control, @Nullable PartedLimit parts, long zeroNanos) {}
