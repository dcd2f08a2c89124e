package io.asyncbatch.flink.worker.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.Patience;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class WorkerProcessTest {

    @Test
    void tellsTheExitStatusAndTheEndOfTheOutput() throws Exception {
        try (WorkerProcess process = shell("echo one; echo two >&2; exit 3")) {
            process.ended().get();
            assertThat(process.describeState()).isEqualTo("exit status 3");
            assertThat(process.describeOutput()).isEqualTo("\nThe end of its output:\none\ntwo");
        }
    }

    @Test
    void tellsTheSignalThatKilledIt() throws Exception {
        try (WorkerProcess process = shell("kill -SEGV $$")) {
            process.ended().get();
            assertThat(process.describeState()).isEqualTo("exit status 139 (killed by signal 11)");
        }
    }

    @Test
    void keepsOnlyTheEndOfALongOutput() throws Exception {
        try (WorkerProcess process =
                shell("i=0; while [ $i -lt 5000 ]; do echo line $i; i=$((i+1)); done")) {
            process.ended().get();
            assertThat(process.describeOutput()).endsWith("line 4999").doesNotContain("line 100\n");
            assertThat(process.describeOutput().length()).isLessThanOrEqualTo(8 * 1024 + 100);
        }
    }

    @Test
    void keepsLogRecordsWithoutTheirMark() throws Exception {
        try (WorkerProcess process = shell("printf '\\036INFO a record\\n'")) {
            process.ended().get();
            assertThat(process.describeOutput()).endsWith(":\nINFO a record");
        }
    }

    @Test
    void inheritsNoEnvironmentVariable() throws Exception {
        try (WorkerProcess process =
                WorkerProcess.start(
                        "test", List.of("/usr/bin/env"), Map.of("GIVEN", "yes"), null)) {
            process.ended().get();
            assertThat(process.describeOutput()).endsWith(":\nGIVEN=yes");
        }
    }

    @Test
    void endsAFrozenProcess() throws Exception {
        WorkerProcess process = shell("kill -STOP $$");
        Patience.await().until(() -> statusOf(process.pid()).startsWith("T"));
        process.close();
        assertThat(process.isAlive()).isFalse();
    }

    @Test
    void endsAProcessThatIgnoresSigterm() throws Exception {
        WorkerProcess process =
                shell("trap '' TERM; echo ready; while true; do /bin/sleep 0.1; done");
        Patience.await().until(() -> process.describeOutput().contains("ready"));
        process.close();
        assertThat(process.isAlive()).isFalse();
    }

    @Test
    void endsWhatTheProcessStarted() throws Exception {
        WorkerProcess process = shell("/bin/sleep 1000 & echo child $!; wait");
        long child = childOf(process);
        process.close();
        awaitEndOf(child);
    }

    @Test
    void endsWhatOutlivedTheProcess() throws Exception {
        WorkerProcess process =
                WorkerProcess.start(
                        "test",
                        List.of(
                                "/usr/bin/setsid",
                                "/bin/sh",
                                "-c",
                                "/bin/sleep 1000 & echo child $!; kill -KILL $$"),
                        Map.of(),
                        null);
        process.ended().get();
        long child = childOf(process);
        assertThat(ProcessHandle.of(child)).isPresent();
        process.close();
        awaitEndOf(child);
    }

    private static long childOf(WorkerProcess process) {
        Patience.await().until(() -> process.describeOutput().contains("child "));
        return Long.parseLong(process.describeOutput().replaceFirst("(?s).*child ", ""));
    }

    private static void awaitEndOf(long pid) {
        Patience.await()
                .until(() -> ProcessHandle.of(pid).isEmpty() || statusOf(pid).startsWith("Z"));
    }

    @Test
    void isClosedOnceAndStaysClosed() throws Exception {
        WorkerProcess process = shell("exit 0");
        process.close();
        process.close();
        assertThat(process.isAlive()).isFalse();
    }

    @Test
    void namesAnInterpreterThatCannotBeRun() {
        assertThatThrownBy(
                        () ->
                                WorkerProcess.start(
                                        "test", List.of("no-such-python"), Map.of(), null))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("'no-such-python' cannot be run from the PATH")
                .hasMessageContaining("python.executable");
    }

    private static WorkerProcess shell(String script) throws IOException {
        return WorkerProcess.start("test", List.of("/bin/sh", "-c", script), Map.of(), null);
    }

    private static String statusOf(long pid) throws IOException {
        String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
        return stat.substring(stat.lastIndexOf(')') + 2);
    }
}
