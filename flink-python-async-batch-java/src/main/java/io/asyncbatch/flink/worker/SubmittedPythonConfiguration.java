package io.asyncbatch.flink.worker;

import java.io.IOException;
import java.io.ObjectOutputStream;
import java.io.Serializable;
import org.apache.flink.annotation.Internal;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.ReadableConfig;
import org.apache.flink.python.util.PythonConfigUtil;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/**
 * The Python options of a job as they are when the job is submitted. On the client it points to the
 * environment; what travels is a copy of the options taken while the job graph is serialized, so
 * dependencies that a program adds after the call that made the operator count too. Used by one
 * thread at a time.
 */
@Internal
public final class SubmittedPythonConfiguration implements Serializable {

    private static final long serialVersionUID = 1L;

    private final transient StreamExecutionEnvironment environment;
    private Configuration configuration;

    public SubmittedPythonConfiguration(StreamExecutionEnvironment environment) {
        this.environment = environment;
        this.configuration = new Configuration();
    }

    private SubmittedPythonConfiguration(Configuration configuration) {
        this.environment = null;
        this.configuration = configuration;
    }

    /**
     * The options of a session of SQL, whose jobs begin with what it is configured with. Registers
     * the files that they name, as PyFlink's planner does.
     *
     * @param session a {@link org.apache.flink.configuration.WritableConfig} too
     */
    public static SubmittedPythonConfiguration ofSession(ReadableConfig session) {
        return new SubmittedPythonConfiguration(
                PythonConfigUtil.extractPythonConfiguration(session));
    }

    /** The options as they were submitted. */
    Configuration get() {
        return configuration;
    }

    private void writeObject(ObjectOutputStream out) throws IOException {
        if (environment != null) {
            // Registers nothing anew: PyFlink did so when it generated the stream graph, under
            // names that derive from the files' paths.
            configuration =
                    PythonConfigUtil.extractPythonConfiguration(environment.getConfiguration());
        }
        out.defaultWriteObject();
    }
}
