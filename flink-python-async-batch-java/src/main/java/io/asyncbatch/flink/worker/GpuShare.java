package io.asyncbatch.flink.worker;

import io.asyncbatch.flink.GpuResources;
import io.asyncbatch.flink.invoker.InvokerContext;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import javax.annotation.Nullable;
import org.apache.flink.api.common.JobInfo;
import org.apache.flink.api.common.externalresource.ExternalResourceInfo;
import org.apache.flink.api.common.functions.RuntimeContext;

/**
 * What a worker is told of the GPUs that it may have. The worker itself takes its part of them, as
 * a lease that ends with its process; this only names the devices and clears up behind it. Used by
 * the mailbox thread.
 */
final class GpuShare implements AutoCloseable {

    /** In the first temporary directory of TaskManagers, which those of one machine often share. */
    private static final String LEASE_DIRECTORY = "async-batch-gpus-";

    private static final String LEASE_SUFFIX = ".lease";

    /** The driver's name for a device; see Flink's GPU plugin. */
    private static final String INDEX_PROPERTY = "index";

    private static final int WHOLE = 100;

    /** Task names have no bound. */
    private static final int HOLDER_LENGTH = 400;

    private static final GpuShare NONE = new GpuShare(Map.of(), null);

    private final Map<String, String> variables;
    @Nullable private final Path lease;

    private GpuShare(Map<String, String> variables, @Nullable Path lease) {
        this.variables = variables;
        this.lease = lease;
    }

    /**
     * The share of one worker.
     *
     * @param resources null for a worker without GPUs
     * @throws IllegalStateException if the TaskManager never has as many GPUs
     */
    static GpuShare of(@Nullable GpuResources resources, InvokerContext context) {
        if (resources == null) {
            return NONE;
        }
        List<String> devices = devices(context.runtimeContext());
        int wanted = resources.getHundredths();
        if (devices.size() * WHOLE < wanted) {
            throw new IllegalStateException(
                    "GpuResources.gpus must be at most what the TaskManager has, got "
                            + wanted / (double) WHOLE
                            + ", and its GPUs are "
                            + devices
                            + ". They are those of the external resource '"
                            + GpuResources.RESOURCE_NAME
                            + "' in its configuration (external-resources).");
        }
        Path lease =
                Path.of(
                        context.taskEnvironment().getTaskManagerInfo().getTmpDirectories()[0],
                        LEASE_DIRECTORY + System.getProperty("user.name"),
                        UUID.randomUUID().toString());
        Map<String, String> variables = new HashMap<>();
        variables.put("_ASYNC_BATCH_GPU_LEASE", lease.toAbsolutePath().toString());
        variables.put("_ASYNC_BATCH_GPU_DEVICES", String.join(",", devices));
        variables.put("_ASYNC_BATCH_GPU_HUNDREDTHS", Integer.toString(wanted));
        variables.put("_ASYNC_BATCH_GPU_HOLDER", holder(context.runtimeContext()));
        resources
                .getMemory()
                .ifPresent(
                        memory ->
                                variables.put(
                                        "_ASYNC_BATCH_GPU_MEMORY",
                                        Long.toString(memory.getBytes())));
        return new GpuShare(variables, lease);
    }

    /** All of the TaskManager's, whatever the slot was declared with: Flink deals none out. */
    private static List<String> devices(RuntimeContext context) {
        return context.getExternalResourceInfos(GpuResources.RESOURCE_NAME).stream()
                .map(GpuShare::index)
                .flatMap(Optional::stream)
                // 2 before 10, and in the same order in every worker.
                .sorted(Comparator.comparing(String::length).thenComparing(index -> index))
                .toList();
    }

    private static Optional<String> index(ExternalResourceInfo info) {
        return info.getProperty(INDEX_PROPERTY);
    }

    private static String holder(RuntimeContext context) {
        JobInfo job = context.getJobInfo();
        String holder =
                "job '"
                        + job.getJobName()
                        + "' ("
                        + job.getJobId()
                        + "), "
                        + context.getTaskInfo().getTaskNameWithSubtasks();
        return holder.substring(0, Math.min(holder.length(), HOLDER_LENGTH));
    }

    /** What the worker is to find in its environment. */
    Map<String, String> variables() {
        return variables;
    }

    /** Removes what the worker has left; only after its process has ended. Idempotent. */
    @Override
    public void close() throws IOException {
        if (lease == null) {
            return;
        }
        Files.deleteIfExists(lease.resolveSibling(lease.getFileName() + LEASE_SUFFIX));
        try {
            Files.deleteIfExists(lease.getParent());
        } catch (DirectoryNotEmptyException e) {
            // Others have leases.
        }
    }
}
