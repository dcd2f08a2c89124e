package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.invoker.InvokerContext;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import javax.annotation.Nullable;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.python.PythonOptions;
import org.apache.flink.python.env.PythonDependencyInfo;
import org.apache.flink.python.env.embedded.EmbeddedPythonEnvironment;
import org.apache.flink.python.env.embedded.EmbeddedPythonEnvironmentManager;
import org.apache.flink.util.FlinkUserCodeClassLoader;
import pemja.core.PythonInterpreter;
import pemja.core.PythonInterpreterConfig;

/**
 * The Python inside this JVM as one subtask needs it, made by PyFlink from its dependency options.
 * Opened and closed by the mailbox thread.
 *
 * <p>There is one Python in a JVM, whatever the jobs in it want: what cannot be had beside what is
 * there is refused.
 */
final class InterpreterEnvironment implements AutoCloseable {

    private static final String WORKING_DIRECTORY_VARIABLE = "_PYTHON_WORKING_DIR";

    /** Where the JVM's first job has noted which Python it runs; class loaders come and go. */
    private static final String PREFIX_PROPERTY = "io.asyncbatch.flink.python.prefix";

    /** Tells what is missing, the prefix, and where modules are found, a line each. */
    private static final String QUESTION =
            "import sys, importlib.util as u\n"
                    + "names = ('pemja', 'pyarrow', 'pyflink', 'pyflink_async_batch')\n"
                    + "print('>', *(n for n in names if u.find_spec(n) is None))\n"
                    + "print('>', sys.prefix)\n"
                    + "print(*('> ' + p for p in sys.path if p), sep='\\n')";

    private static final String ANSWER_MARK = "> ";

    private final PythonDependencyInfo dependencies;
    private final EmbeddedPythonEnvironmentManager manager;
    private boolean opened;

    InterpreterEnvironment(Configuration configuration, InvokerContext context) {
        this.dependencies =
                PythonDependencyInfo.create(
                        configuration, context.runtimeContext().getDistributedCache());
        this.manager =
                new EmbeddedPythonEnvironmentManager(
                        dependencies,
                        context.taskEnvironment().getTaskManagerInfo().getTmpDirectories(),
                        configuration.get(PythonOptions.PYTHON_SYSTEMENV_ENABLED)
                                ? System.getenv()
                                : Map.of(),
                        context.runtimeContext().getJobInfo().getJobId());
    }

    /** Extracts archives and installs requirements, once per job and TaskManager. */
    void open() throws Exception {
        if (!Files.isDirectory(Path.of("/proc/self/fd"))) {
            throw refusal("needs Linux, this is " + System.getProperty("os.name"));
        }
        if (PythonInterpreter.class.getClassLoader() instanceof FlinkUserCodeClassLoader) {
            throw refusal(
                    "needs the classes of pemja, which are in the jar of flink-python, once for all"
                            + " jobs of a TaskManager: put the jar into Flink's lib directory and set"
                            + " 'classloader.parent-first-patterns.additional: pemja.'");
        }
        manager.open();
        opened = true;
    }

    /** How the interpreter is entered: which Python, and where its modules are. */
    PythonInterpreterConfig interpreterConfig() throws Exception {
        PythonInterpreterConfig pyFlinks =
                ((EmbeddedPythonEnvironment) manager.createEnvironment()).getConfig();
        List<String> answer = ask(pyFlinks.getPythonExec());
        String missing = answer.get(0);
        if (!missing.isEmpty()) {
            throw refusal(
                    "needs these packages installed for 'python.executable' "
                            + pyFlinks.getPythonExec()
                            + ", which lacks them: "
                            + missing);
        }
        requireTheOnlyPython(pyFlinks.getPythonExec(), answer.get(1));
        // The modules of an interpreter that is not the one on the PATH are not found by
        // themselves.
        return PythonInterpreterConfig.newBuilder()
                .setExcType(pyFlinks.getExecType())
                .setPythonHome(pyFlinks.getPythonHome())
                .setPythonExec(pyFlinks.getPythonExec())
                .addPythonPaths(answer.subList(2, answer.size()).toArray(String[]::new))
                .build();
    }

    private List<String> ask(String interpreter) throws IOException, InterruptedException {
        ProcessBuilder command = new ProcessBuilder(interpreter, "-c", QUESTION);
        Map<String, String> variables = new HashMap<>(manager.getPythonEnv());
        command.environment().clear();
        command.environment().putAll(variables);
        command.redirectErrorStream(true);
        if (workingDirectory() != null) {
            command.directory(new File(workingDirectory()));
        }
        Process process = command.start();
        process.getOutputStream().close();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.waitFor();
        List<String> answer = new ArrayList<>();
        output.lines()
                .filter(line -> line.startsWith(ANSWER_MARK) || line.equals(ANSWER_MARK.strip()))
                .forEach(line -> answer.add(line.substring(1).strip()));
        if (status != 0 || answer.size() < 2) {
            throw refusal(
                    "cannot use 'python.executable' "
                            + interpreter
                            + ", which ended with status "
                            + status
                            + ": "
                            + output);
        }
        return answer;
    }

    private static void requireTheOnlyPython(String interpreter, String prefix) {
        Object first = System.getProperties().putIfAbsent(PREFIX_PROPERTY, prefix);
        if (first != null && !first.equals(prefix)) {
            throw refusal(
                    "has one Python for all jobs of a TaskManager. This one has that at "
                            + first
                            + ", and 'python.executable' "
                            + interpreter
                            + " is that at "
                            + prefix);
        }
    }

    private static UnsupportedOperationException refusal(String why) {
        return new UnsupportedOperationException("python.execution-mode 'thread' " + why + ".");
    }

    /** Where the job's archives are, if it has any; that of the process while the job runs. */
    @Nullable
    String workingDirectory() {
        return manager.getPythonEnv().get(WORKING_DIRECTORY_VARIABLE);
    }

    @Override
    public void close() throws Exception {
        if (opened) {
            opened = false;
            manager.close();
        }
    }
}
