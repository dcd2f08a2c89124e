package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.mockito.Mockito.RETURNS_DEEP_STUBS;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import io.asyncbatch.flink.GpuResources;
import io.asyncbatch.flink.invoker.InvokerContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.api.common.externalresource.ExternalResourceInfo;
import org.apache.flink.configuration.MemorySize;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GpuShareTest {

    private static final GpuResources HALF = GpuResources.builder(0.5).build();

    @TempDir private Path temporary;

    @Test
    void namesTheDevicesInTheSameOrderToEveryWorker() {
        GpuShare share = GpuShare.of(HALF, taskManagerWith("10", "0", "2"));
        assertThat(share.variables())
                .containsEntry("_ASYNC_BATCH_GPU_DEVICES", "0,2,10")
                .containsEntry("_ASYNC_BATCH_GPU_HUNDREDTHS", "50")
                .containsEntry("_ASYNC_BATCH_GPU_HOLDER", "job 'images' (null), Classify (1/2)")
                .doesNotContainKey("_ASYNC_BATCH_GPU_MEMORY");
    }

    @Test
    void passesTheCapOn() {
        GpuResources resources = GpuResources.builder(1).memory(MemorySize.ofMebiBytes(1)).build();
        assertThat(GpuShare.of(resources, taskManagerWith("0")).variables())
                .containsEntry("_ASYNC_BATCH_GPU_MEMORY", "1048576");
    }

    @Test
    void refusesMoreThanTheTaskManagerHas() {
        assertThatThrownBy(() -> GpuShare.of(HALF, taskManagerWith()))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageStartingWith(
                        "GpuResources.gpus must be at most what the TaskManager has, got 0.5, and"
                                + " its GPUs are []");
        GpuResources two = GpuResources.builder(2).build();
        assertThatThrownBy(() -> GpuShare.of(two, taskManagerWith("7")))
                .hasMessageContaining("got 2.0, and its GPUs are [7]");
    }

    @Test
    void removesWhatTheWorkerLeaves() throws Exception {
        InvokerContext context = taskManagerWith("0");
        GpuShare first = GpuShare.of(HALF, context);
        GpuShare second = GpuShare.of(HALF, context);
        Path lease = takenBy(first);
        Path other = takenBy(second);
        assertThat(lease.getParent()).isEqualTo(other.getParent()).isNotEqualTo(temporary);
        first.close();
        first.close();
        assertThat(lease).doesNotExist();
        assertThat(other).exists();
        second.close();
        assertThat(temporary).isEmptyDirectory();
    }

    @Test
    void aWorkerThatNeverTookItsShareLeavesNothing() throws Exception {
        GpuShare.of(HALF, taskManagerWith("0")).close();
        assertThat(temporary).isEmptyDirectory();
    }

    @Test
    void saysNothingToWorkersWithoutGpus() throws Exception {
        GpuShare none = GpuShare.of(null, taskManagerWith("0"));
        assertThat(none.variables()).isEmpty();
        none.close();
    }

    /** As a worker does. */
    private static Path takenBy(GpuShare share) throws Exception {
        Path lease = Path.of(share.variables().get("_ASYNC_BATCH_GPU_LEASE") + ".lease");
        Files.createDirectories(lease.getParent());
        return Files.createFile(lease);
    }

    private InvokerContext taskManagerWith(String... devices) {
        InvokerContext context = mock(InvokerContext.class, RETURNS_DEEP_STUBS);
        Set<ExternalResourceInfo> infos =
                Stream.of(devices).map(Device::new).collect(Collectors.toSet());
        when(context.runtimeContext().getExternalResourceInfos("gpu")).thenReturn(infos);
        when(context.runtimeContext().getTaskInfo().getTaskNameWithSubtasks())
                .thenReturn("Classify (1/2)");
        when(context.runtimeContext().getJobInfo().getJobName()).thenReturn("images");
        when(context.runtimeContext().getJobInfo().getJobId()).thenReturn(null);
        when(context.taskEnvironment().getTaskManagerInfo().getTmpDirectories())
                .thenReturn(new String[] {temporary.toString()});
        return context;
    }

    private record Device(String index) implements ExternalResourceInfo {

        @Override
        public Optional<String> getProperty(String key) {
            return key.equals("index") ? Optional.of(index) : Optional.empty();
        }

        @Override
        public Collection<String> getKeys() {
            return Set.of("index");
        }
    }
}
