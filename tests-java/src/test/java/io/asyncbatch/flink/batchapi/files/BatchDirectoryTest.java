package io.asyncbatch.flink.batchapi.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Files that nobody else reads and that do not stay. */
@Timeout(60)
class BatchDirectoryTest {

    @TempDir Path parent;
    private Path base;

    @BeforeEach
    void name() {
        base = parent.resolve("deep/batches");
    }

    private static String modeOf(Path path) throws IOException {
        return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
    }

    private List<Path> children() throws IOException {
        try (Stream<Path> children = Files.list(base)) {
            return children.toList();
        }
    }

    @Test
    void everythingIsPrivate() throws Exception {
        try (BatchDirectory directory = BatchDirectory.open(base)) {
            Path file = directory.newFile();
            assertThat(modeOf(file)).isEqualTo("rw-------");
            assertThat(modeOf(file.getParent())).isEqualTo("rwx------");
            assertThat(modeOf(base)).isEqualTo("rwx------");
            assertThat(file.getParent().getParent()).isEqualTo(base);
            assertThat(directory.newFile()).isNotEqualTo(file);
        }
    }

    @Test
    void closingRemovesEverything() throws Exception {
        BatchDirectory directory = BatchDirectory.open(base);
        Files.writeString(directory.newFile(), "content");
        Path removed = directory.newFile();
        directory.remove(removed);
        directory.remove(removed);
        assertThat(removed).doesNotExist();
        directory.close();
        assertThat(children()).isEmpty();
        assertThatThrownBy(directory::newFile).hasMessageContaining("closed");
    }

    @Test
    void directoriesOfTheLivingStay() throws Exception {
        try (BatchDirectory one = BatchDirectory.open(base);
                BatchDirectory other = BatchDirectory.open(base)) {
            assertThat(one.newFile()).exists();
            assertThat(other.newFile()).exists();
            assertThat(children()).hasSize(2);
        }
    }

    /** Another process holds its lock until it is killed. */
    @Test
    void directoriesOfTheDeadGo() throws Exception {
        Process process =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                Holder.class.getName(),
                                base.toString())
                        .redirectError(Redirect.DISCARD)
                        .start();
        try {
            assertThat(process.getInputStream().read()).isEqualTo('.');
            assertThat(children()).hasSize(1);
            Path foreign = children().get(0);
            BatchDirectory.open(base).close();
            assertThat(foreign).isDirectory();
            process.destroyForcibly().waitFor();
            assertThat(foreign).isDirectory();
            BatchDirectory.open(base).close();
            assertThat(children()).isEmpty();
        } finally {
            process.destroyForcibly();
        }
    }

    /** Opens a directory, says so and waits for its end. */
    static final class Holder {
        public static void main(String[] arguments) throws Exception {
            BatchDirectory directory = BatchDirectory.open(Path.of(arguments[0]));
            Files.writeString(directory.newFile(), "content");
            System.out.print('.');
            System.out.flush();
            System.in.read();
        }
    }

    @Test
    void whatIsNotOursStays() throws Exception {
        Files.createDirectories(base);
        Path other = Files.createDirectory(base.resolve("something"));
        Path file = Files.writeString(base.resolve("async-batch-1-2-3"), "a file");
        BatchDirectory.open(base).close();
        assertThat(other).isDirectory();
        assertThat(file).isRegularFile();
    }

    @Test
    void refusesALink() throws Exception {
        Files.createDirectories(base.getParent());
        Files.createSymbolicLink(base, Files.createDirectory(parent.resolve("real")));
        assertRefused("symbolic link");
    }

    @Test
    void refusesAFile() throws Exception {
        Files.createDirectories(base.getParent());
        Files.writeString(base, "a file");
        assertRefused("not a directory");
    }

    @Test
    void refusesWhereEveryUserMayRemoveFiles() throws Exception {
        Files.createDirectories(base);
        Files.setPosixFilePermissions(base, PosixFilePermissions.fromString("rwxrwxrwx"));
        assertRefused("every user may remove files");
        Files.setAttribute(base, "unix:mode", 01777);
        BatchDirectory.open(base).close();
    }

    @Test
    void refusesAnotherUsersDirectory() throws Exception {
        Files.createDirectories(base);
        try {
            Files.setAttribute(base, "unix:uid", 12345);
        } catch (IOException notRoot) {
            assumeThat(false).as("only root gives a directory away").isTrue();
        }
        assertRefused("belongs to another user");
    }

    private void assertRefused(String reason) {
        assertThatThrownBy(() -> BatchDirectory.open(base))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("ml.batch.local.dir")
                .hasMessageContaining(base.toString())
                .hasMessageContaining(reason);
    }
}
