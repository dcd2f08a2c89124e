package io.asyncbatch.flink.worker;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** Which release this jar is of. Stateless. */
final class Release {

    private Release() {}

    /** As Maven spells it. */
    static String version() {
        Properties properties = new Properties();
        try (InputStream file = Release.class.getResourceAsStream("release.properties")) {
            properties.load(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return properties.getProperty("version");
    }
}
