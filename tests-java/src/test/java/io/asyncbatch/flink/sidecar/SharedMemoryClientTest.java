package io.asyncbatch.flink.sidecar;

import static io.asyncbatch.flink.Patience.await;
import static org.assertj.core.api.Assertions.assertThat;

import io.asyncbatch.flink.proto.inference.ModelInferRequest;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Tensors that go through shared memory, and what is left of it. */
@Timeout(120)
class SharedMemoryClientTest {

    private static final String REGION = "shared_memory_region";
    private static final String OFFSET = "shared_memory_offset";

    /** 16 KiB a record. */
    private static final int ROW = 2048;

    @TempDir Path directory;
    private MockSidecar server;

    @BeforeEach
    void start() throws Exception {
        server = MockSidecar.onUnixSocket(directory.resolve("s"));
        server.outputRowLength = ROW;
    }

    @AfterEach
    void stop() throws Exception {
        server.close();
    }

    private SidecarOptions.Builder options() {
        return server.options().sharedMemoryThreshold(64 << 10).maxSharedMemoryBytes(1 << 20);
    }

    private static ClientRig open(SidecarOptions.Builder options) throws Exception {
        return new ClientRig(options.build(), new LongCodec(ROW));
    }

    private ModelInferRequest request(int index) {
        return server.inferences.get(index).request;
    }

    private static boolean isShared(ModelInferRequest request) {
        return request.getInputs(0).containsParameters(REGION);
    }

    private static List<Path> objects() throws Exception {
        return objectsOf(ProcessHandle.current().pid());
    }

    /** Not those of others, whom the machine may run too. */
    private static List<Path> objectsOf(long pid) throws Exception {
        String prefix = "async-batch-" + pid + "-";
        try (Stream<Path> files = Files.list(Path.of("/dev/shm"))) {
            return files.filter(file -> file.getFileName().toString().startsWith(prefix)).toList();
        }
    }

    @Test
    void largeTensorsAreSharedBothWays() throws Exception {
        try (ClientRig rig = open(options())) {
            assertThat(rig.call(1L, 2L, 3L, 4L, 5L).get()).containsExactly(10L, 20L, 30L, 40L, 50L);
            ModelInferRequest request = request(0);
            assertThat(isShared(request)).isTrue();
            assertThat(request.getRawInputContentsCount()).isZero();
            assertThat(request.getOutputs(0).getName()).isEqualTo("y");
            assertThat(request.getOutputs(0).containsParameters(REGION)).isTrue();
            assertThat(request.getSerializedSize()).isLessThan(1_000);
            await().until(() -> rig.gauge("sharedMemoryBytes") == 0);
        }
    }

    @Test
    void smallTensorsAreNot() throws Exception {
        try (ClientRig rig = open(options())) {
            assertThat(rig.call(1L).get()).containsExactly(10L);
            assertThat(isShared(request(0))).isFalse();
            assertThat(request(0).getRawInputContentsCount()).isEqualTo(1);
        }
    }

    /** A first dimension that is fixed, or another that is not. */
    @Test
    void outputsOfUnknownSizeAreNot() throws Exception {
        server.outputRowLength = -1;
        try (ClientRig rig = open(options())) {
            assertThat(rig.call(1L, 2L, 3L, 4L).get()).containsExactly(10L, 20L, 30L, 40L);
            assertThat(isShared(request(0))).isTrue();
            assertThat(request(0).getOutputs(0).containsParameters(REGION)).isFalse();
        }
    }

    @Test
    void aServerThatSharesNoMemoryGetsAllInline() throws Exception {
        server.sharesMemory = false;
        try (ClientRig rig = open(options())) {
            assertThat(rig.call(1L, 2L, 3L, 4L).get()).containsExactly(10L, 20L, 30L, 40L);
            assertThat(isShared(request(0))).isFalse();
            assertThat(server.asked("SystemSharedMemoryRegister")).isEqualTo(1);
            assertThat(objects()).isEmpty();
        }
    }

    @Test
    void nothingIsSharedWhereNothingMayBe() throws Exception {
        try (ClientRig rig = open(server.options().maxSharedMemoryBytes(0))) {
            assertThat(rig.call(1L, 2L, 3L, 4L, 5L, 6L, 7L, 8L, 9L).get()).hasSize(9);
            assertThat(isShared(request(0))).isFalse();
            assertThat(server.asked("SystemSharedMemoryRegister")).isZero();
        }
    }

    @Test
    void withoutRoomTensorsGoInline() throws Exception {
        server.hold();
        try (ClientRig rig = open(options().maxSharedMemoryBytes(64 << 10))) {
            ClientRig.Call first = rig.call(1L, 2L, 3L, 4L);
            ClientRig.Call second = rig.call(5L, 6L, 7L, 8L);
            await().until(() -> server.openRequests() == 2);
            assertThat(isShared(request(0))).isTrue();
            assertThat(isShared(request(1))).isFalse();
            assertThat(rig.gauge("sharedMemoryBytes")).isEqualTo(64 << 10);
            server.release();
            assertThat(first.get()).containsExactly(10L, 20L, 30L, 40L);
            assertThat(second.get()).containsExactly(50L, 60L, 70L, 80L);
        }
    }

    @Test
    void aServerThatForgotTheMemoryIsGivenANewOne() throws Exception {
        try (ClientRig rig = open(options())) {
            rig.call(1L, 2L, 3L, 4L).get();
            server.forgetRegions();
            assertThat(rig.call(5L, 6L, 7L, 8L).get()).containsExactly(50L, 60L, 70L, 80L);
            assertThat(server.inferences).hasSize(3);
            assertThat(isShared(request(1))).isTrue();
            assertThat(isShared(request(2))).isFalse();
            await().until(() -> server.asked("SystemSharedMemoryRegister") == 2);
            await().until(
                            () -> {
                                rig.call(5L, 6L, 7L, 8L).get();
                                return isShared(request(server.inferences.size() - 1));
                            });
            ModelInferRequest last = request(server.inferences.size() - 1);
            assertThat(last.getInputs(0).getParametersOrThrow(REGION))
                    .isNotEqualTo(request(0).getInputs(0).getParametersOrThrow(REGION));
            assertThat(rig.counter("requestsFailedByModelNotFound")).isZero();
        }
    }

    @Test
    void aRestartedServerIsGivenMemoryToo() throws Exception {
        try (ClientRig rig = open(options())) {
            rig.call(1L, 2L, 3L, 4L).get();
            server.close();
            server = MockSidecar.onUnixSocket(directory.resolve("s"));
            server.outputRowLength = ROW;
            await().ignoreExceptions()
                    .until(
                            () ->
                                    rig.call(1L, 2L, 3L, 4L)
                                            .get()
                                            .equals(List.of(10L, 20L, 30L, 40L)));
            await().until(
                            () -> {
                                rig.call(1L, 2L, 3L, 4L).get();
                                return isShared(request(server.inferences.size() - 1));
                            });
        }
    }

    /** A late answer of the server's must not be written into another request's output. */
    @Test
    void whatARequestLeftBehindIsNotUsedAgain() throws Exception {
        server.hold();
        try (ClientRig rig = open(options())) {
            ClientRig.Call cancelled = rig.call(1L, 2L, 3L, 4L);
            await().until(() -> server.openRequests() == 1);
            long lost = offset(request(0));
            cancelled.request.cancel();
            await().until(() -> server.openRequests() == 0);
            await().until(() -> rig.gauge("requestsInFlight") == 0);
            server.release();
            for (int call = 0; call < 5; call++) {
                assertThat(rig.call(1L, 2L, 3L, 4L).get()).containsExactly(10L, 20L, 30L, 40L);
            }
            assertThat(server.inferences.stream().skip(1))
                    .extracting(inference -> offset(inference.request))
                    .doesNotContain(lost);
            // The last call gives its memory back after it has told its results.
            await().until(() -> rig.gauge("sharedMemoryBytes") == 128 << 10);
        }
    }

    private static long offset(ModelInferRequest request) {
        return request.getInputs(0).getParametersOrThrow(OFFSET).getInt64Param();
    }

    @Test
    void memoryThatIsMostlyLostIsReplaced() throws Exception {
        server.hold();
        try (ClientRig rig = open(options())) {
            for (int call = 0; call < 5; call++) {
                int open = server.inferences.size() + 1;
                ClientRig.Call cancelled = rig.call(1L, 2L, 3L, 4L);
                await().until(() -> server.inferences.size() == open);
                cancelled.request.cancel();
                await().until(() -> rig.gauge("requestsInFlight") == 0);
            }
            await().until(() -> server.asked("SystemSharedMemoryRegister") == 2);
            await().until(() -> server.asked("SystemSharedMemoryUnregister") == 1);
            await().until(() -> rig.gauge("sharedMemoryBytes") == 0);
            server.release();
            assertThat(rig.call(1L, 2L, 3L, 4L).get()).containsExactly(10L, 20L, 30L, 40L);
        }
    }

    @Test
    void anAnswerThatIsNotWhereItShouldBeIsRefused() throws Exception {
        try (ClientRig rig = open(options())) {
            server.behaviour =
                    inference -> {
                        var answer = inference.answer().toBuilder();
                        answer.getOutputsBuilder(0).setShape(0, 1_000_000);
                        inference.send(answer.build());
                    };
            assertThat(rig.call(1L, 2L, 3L, 4L).sidecarFailure())
                    .isInstanceOf(SidecarException.InvalidTensor.class)
                    .hasMessageContaining("does not fit the 65536 bytes that it was given");
            server.behaviour =
                    inference -> {
                        var answer = inference.answer().toBuilder();
                        answer.getOutputsBuilder(0)
                                .putAllParameters(request(1).getInputs(0).getParametersMap());
                        inference.send(answer.build());
                    };
            assertThat(rig.call(1L, 2L, 3L, 4L).sidecarFailure())
                    .isInstanceOf(SidecarException.InvalidTensor.class)
                    .hasMessageContaining("not offered");
        }
    }

    /** Triton sends an empty one for each output that is in shared memory, others send none. */
    @Test
    void rawContentsOfSharedOutputsMayBeEmpty() throws Exception {
        server.behaviour =
                inference ->
                        inference.send(
                                inference.answer().toBuilder()
                                        .addRawOutputContents(com.google.protobuf.ByteString.EMPTY)
                                        .build());
        try (ClientRig rig = open(options())) {
            assertThat(rig.call(1L, 2L, 3L, 4L).get()).containsExactly(10L, 20L, 30L, 40L);
        }
    }

    @Test
    void theObjectHasNoNameOnceItIsRegisteredAndIsGoneInTheEnd() throws Exception {
        try (ClientRig rig = open(options())) {
            rig.call(1L, 2L, 3L, 4L).get();
            assertThat(objects()).isEmpty();
            assertThat(mappings()).isEqualTo(2);
        }
        assertThat(server.asked("SystemSharedMemoryUnregister")).isEqualTo(1);
        assertThat(mappings()).isEqualTo(1);
    }

    /** Of this process, which is client and server. */
    private static long mappings() throws Exception {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains("/dev/shm/async-batch-")).count();
        }
    }

    @Test
    void whatTheDeadLeftBehindIsRemoved() throws Exception {
        Path stale = Files.createFile(Path.of("/dev/shm/async-batch-1-0-" + System.nanoTime()));
        Path link =
                Files.createSymbolicLink(
                        Path.of("/dev/shm/async-batch-1-1-" + System.nanoTime()), directory);
        try {
            open(options()).close();
            assertThat(stale).doesNotExist();
            assertThat(Files.isSymbolicLink(link)).isTrue();
        } finally {
            Files.deleteIfExists(stale);
            Files.delete(link);
        }
    }

    /** Also what a client is about to register, in another process. */
    @Test
    void aKilledProcessLeavesNothingBehind() throws Exception {
        server.hold();
        Process victim =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "--add-opens=java.base/java.nio=ALL-UNNAMED",
                                "-cp",
                                System.getProperty("java.class.path"),
                                Victim.class.getName(),
                                server.endpoint())
                        .inheritIO()
                        .start();
        try {
            await().until(() -> server.openRequests() == 1);
            assertThat(isShared(request(0))).isTrue();
            FileChannel region = server.regionFile(0);
            assertThat(region.tryLock()).as("lock of a client that lives").isNull();
            victim.destroyForcibly().waitFor();
            assertThat(objectsOf(victim.pid())).isEmpty();
            await().until(() -> server.openRequests() == 0);
            assertThat(region.tryLock()).as("lock of a client that is dead").isNotNull();
        } finally {
            victim.destroyForcibly();
        }
    }

    @Test
    void memoryOfTheLivingIsNotRemoved() throws Exception {
        Path held = Path.of("/dev/shm/async-batch-2-0-" + System.nanoTime());
        Process holder =
                new ProcessBuilder(
                                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                                "-cp",
                                System.getProperty("java.class.path"),
                                Holder.class.getName(),
                                held.toString())
                        .start();
        try {
            assertThat(holder.getInputStream().read()).isEqualTo('!');
            open(options()).close();
            assertThat(held).exists();
        } finally {
            holder.destroyForcibly().waitFor();
        }
        open(options()).close();
        assertThat(held).doesNotExist();
    }

    /** A process that has a request in flight until it is killed. */
    static final class Victim {
        public static void main(String[] arguments) throws Exception {
            ClientRig rig =
                    open(
                            SidecarOptions.builder(arguments[0], MockSidecar.MODEL)
                                    .sharedMemoryThreshold(1));
            rig.call(1L, 2L, 3L).get();
        }
    }

    /** A process that holds an object's lock until it is killed. */
    static final class Holder {
        public static void main(String[] arguments) throws Exception {
            FileChannel file =
                    FileChannel.open(
                            Path.of(arguments[0]),
                            StandardOpenOption.CREATE_NEW,
                            StandardOpenOption.WRITE);
            file.lock();
            System.out.print('!');
            System.out.flush();
            Thread.currentThread().join();
        }
    }
}
