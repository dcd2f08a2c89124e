package io.asyncbatch.flink.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
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

    private static final Pattern ROW = Pattern.compile("\\| `([\\w.]+)` \\| (\\w+) \\|.*");
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
        Map<String, String> documented = kindsUnder(heading);
        documented.forEach(
                (name, kind) ->
                        assertThat(registered.get(name)).as(name).isInstanceOf(KINDS.get(kind)));
        return documented.keySet();
    }

    /** The metrics under a heading by name; the values are kinds. */
    public static Map<String, String> kindsUnder(String heading) throws IOException {
        Path page = Path.of("").toAbsolutePath().getParent().resolve("docs/metrics.md");
        Map<String, String> kinds = new HashMap<>();
        boolean within = false;
        for (String line : Files.readAllLines(page)) {
            if (line.startsWith("## ")) {
                within = line.equals("## " + heading);
            }
            Matcher metric = ROW.matcher(line);
            if (within && metric.matches()) {
                kinds.put(metric.group(1), metric.group(2));
            }
        }
        assertThat(kinds).isNotEmpty();
        return kinds;
    }
}
