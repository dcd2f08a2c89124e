package io.asyncbatch.flink.operator.emission;

import java.util.regex.Pattern;
import org.apache.flink.annotation.Internal;
import org.apache.flink.runtime.util.EnvironmentInformation;

/** Refuses a Flink that this jar does not run on, before it fails by missing methods. */
@Internal
public final class SupportedFlink {

    private static final Pattern SUPPORTED =
            Pattern.compile("2\\.(2\\.[1-9]\\d*|3(\\.\\d+)?)(-.*)?");

    private SupportedFlink() {}

    /**
     * Of the Flink in this JVM, a client's or a TaskManager's.
     *
     * @throws IllegalStateException if its version is known and not a supported one
     */
    public static void require() {
        require(EnvironmentInformation.getVersion());
    }

    static void require(String version) {
        // A Flink that was built by hand, or put into another jar, may not say what it is.
        if (!EnvironmentInformation.UNKNOWN.equals(version)
                && !SUPPORTED.matcher(version).matches()) {
            throw new IllegalStateException(
                    "flink-python-async-batch works with Apache Flink 2.2.1 and later 2.2.x, and"
                            + " with 2.3.x; this is Flink "
                            + version);
        }
    }
}
