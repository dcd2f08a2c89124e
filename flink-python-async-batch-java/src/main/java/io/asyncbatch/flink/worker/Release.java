package io.asyncbatch.flink.worker;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** Which release this jar is of. Stateless. */
final class Release {

    private static final String FILE = "release.properties";
    private static final String VERSION = "version";

    private Release() {}

    /**
     * As Maven spells it.
     *
     * @throws IllegalStateException if the jar does not say, because it was repackaged without that
     *     file
     */
    static String version() {
        return version(FILE);
    }

    static String version(String file) {
        Properties properties = new Properties();
        try (InputStream content = Release.class.getResourceAsStream(file)) {
            if (content != null) {
                properties.load(content);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        String version = properties.getProperty(VERSION);
        if (version == null) {
            throw new IllegalStateException(
                    "The jar that holds flink-python-async-batch does not say of which release it"
                            + " is: it needs the file "
                            + Release.class.getPackageName().replace('.', '/')
                            + "/"
                            + file
                            + " with a '"
                            + VERSION
                            + "'. Repackage the jar with that file, or use it as it was built.");
        }
        return version;
    }
}
