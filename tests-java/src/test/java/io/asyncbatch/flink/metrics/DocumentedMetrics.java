package io.asyncbatch.flink.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.metrics.Counter;
import org.apache.flink.metrics.Gauge;
import org.apache.flink.metrics.Histogram;
import org.apache.flink.metrics.Metric;

/** The tables of {@code docs/metrics.md}; stateless. */
public final class DocumentedMetrics {

    private static final Pattern ROW = Pattern.compile("\\| `(\\w+)` \\| (\\w+) \\|.*");
    private static final Map<String, Class<?>> KINDS =
            Map.of(
                    "counter", Counter.class,
                    "gauge", Gauge.class,
                    "histogram", Histogram.class);

    private DocumentedMetrics() {}

    /**
     * Asserts that each metric under a heading is registered, and of the kind that it says.
     *
     * @return the names under the heading
     */
    public static Set<String> under(String heading, Map<String, Metric> registered)
            throws IOException {
        Path page = Path.of("").toAbsolutePath().getParent().resolve("docs/metrics.md");
        Set<String> names = new HashSet<>();
        boolean within = false;
        for (String line : Files.readAllLines(page)) {
            if (line.startsWith("## ")) {
                within = line.equals("## " + heading);
            }
            Matcher metric = ROW.matcher(line);
            if (within && metric.matches()) {
                names.add(metric.group(1));
                assertThat(registered.get(metric.group(1)))
                        .as(metric.group(1))
                        .isInstanceOf(KINDS.get(metric.group(2)));
            }
        }
        assertThat(names).isNotEmpty();
        return names;
    }
}
