package io.asyncbatch.flink;

import java.io.Serializable;
import java.math.BigDecimal;
import java.util.Objects;
import java.util.Optional;
import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.configuration.MemorySize;

/**
 * The GPUs that each subtask of an operator needs, and what else its slot consists of: Flink asks
 * for all of it as soon as one part is declared. Immutable; made by a {@link #builder builder},
 * which refuses a value out of range by the option's name.
 *
 * <pre>{@code
 * AsyncDataStream.unorderedWaitBatch(images, new Classify(), options)
 *         .slotSharingGroup(GpuResources.builder(0.5).build().slotSharingGroup("classify"));
 * }</pre>
 *
 * <p>Flink counts GPUs and lets a subtask wait until a TaskManager has enough of them left. It does
 * not hand out devices: a Java function sees all that its TaskManager has, in {@code
 * RuntimeContext.getExternalResourceInfos("gpu")}.
 */
@PublicEvolving
public final class GpuResources implements Serializable {

    private static final long serialVersionUID = 1L;

    /** The name under which Flink's configuration has GPUs: {@code external-resources: gpu}. */
    public static final String RESOURCE_NAME = "gpu";

    /** CPU cores of the slot, unless said otherwise. */
    public static final double DEFAULT_CPU_CORES = 1;

    /** Java heap of the slot, unless said otherwise. */
    public static final MemorySize DEFAULT_TASK_HEAP_MEMORY = MemorySize.ofMebiBytes(128);

    private static final int WHOLE = 100;

    private final int hundredths;
    private final MemorySize memory;
    private final double cpuCores;
    private final MemorySize taskHeapMemory;
    private final MemorySize taskOffHeapMemory;
    private final MemorySize managedMemory;

    private GpuResources(Builder builder) {
        hundredths = builder.hundredths;
        memory = builder.memory;
        cpuCores = builder.cpuCores;
        taskHeapMemory = builder.taskHeapMemory;
        taskOffHeapMemory = builder.taskOffHeapMemory;
        managedMemory = builder.managedMemory;
    }

    /**
     * Begins with what has no default.
     *
     * @param gpus how many GPUs each subtask needs: hundredths of one, from 0.01 to 1, or a whole
     *     number
     */
    public static Builder builder(double gpus) {
        return new Builder(gpus);
    }

    /** The number of GPUs in hundredths, so that sums of them are exact. */
    public int getHundredths() {
        return hundredths;
    }

    /** The most memory that a Python worker may take on each GPU; empty for its part of them. */
    public Optional<MemorySize> getMemory() {
        return Optional.ofNullable(memory);
    }

    /**
     * The declaration in Flink's terms.
     *
     * @param name of a group that no other operator is in: subtasks of operators in one group share
     *     a slot, and so what is declared once
     */
    public SlotSharingGroup slotSharingGroup(String name) {
        return SlotSharingGroup.newBuilder(name)
                .setCpuCores(cpuCores)
                .setTaskHeapMemory(taskHeapMemory)
                .setTaskOffHeapMemory(taskOffHeapMemory)
                .setManagedMemory(managedMemory)
                .setExternalResource(RESOURCE_NAME, hundredths / (double) WHOLE)
                .build();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof GpuResources that
                && hundredths == that.hundredths
                && Objects.equals(memory, that.memory)
                && cpuCores == that.cpuCores
                && taskHeapMemory.equals(that.taskHeapMemory)
                && taskOffHeapMemory.equals(that.taskOffHeapMemory)
                && managedMemory.equals(that.managedMemory);
    }

    @Override
    public int hashCode() {
        return Objects.hash(
                hundredths, memory, cpuCores, taskHeapMemory, taskOffHeapMemory, managedMemory);
    }

    /** Collects what a slot consists of. Not thread-safe. */
    public static final class Builder {

        private final int hundredths;
        private MemorySize memory;
        private double cpuCores = DEFAULT_CPU_CORES;
        private MemorySize taskHeapMemory = DEFAULT_TASK_HEAP_MEMORY;
        private MemorySize taskOffHeapMemory = MemorySize.ZERO;
        private MemorySize managedMemory = MemorySize.ZERO;

        private Builder(double gpus) {
            hundredths = requireHundredths(gpus);
        }

        /**
         * The most memory that PyTorch may take in a Python worker, on each GPU. Means nothing to
         * Java functions.
         */
        public Builder memory(MemorySize value) {
            memory = requirePositive("memory", value);
            return this;
        }

        /** CPU cores of the slot, {@value #DEFAULT_CPU_CORES} by default. */
        public Builder cpuCores(double value) {
            if (!(value > 0) || Double.isInfinite(value)) {
                throw new IllegalArgumentException("cpuCores must be positive, got " + value);
            }
            cpuCores = value;
            return this;
        }

        /** Java heap of the slot, 128 MiB by default. */
        public Builder taskHeapMemory(MemorySize value) {
            taskHeapMemory = requirePositive("taskHeapMemory", value);
            return this;
        }

        /** Off-heap memory of the slot, none by default. */
        public Builder taskOffHeapMemory(MemorySize value) {
            taskOffHeapMemory = Objects.requireNonNull(value, "taskOffHeapMemory");
            return this;
        }

        /** Managed memory of the slot, none by default. */
        public Builder managedMemory(MemorySize value) {
            managedMemory = Objects.requireNonNull(value, "managedMemory");
            return this;
        }

        public GpuResources build() {
            return new GpuResources(this);
        }

        private static int requireHundredths(double gpus) {
            if (gpus > 0 && gpus <= 1_000) {
                BigDecimal hundredths = BigDecimal.valueOf(gpus).movePointRight(2);
                boolean exact = hundredths.stripTrailingZeros().scale() <= 0;
                if (exact && (gpus <= 1 || hundredths.intValueExact() % WHOLE == 0)) {
                    return hundredths.intValueExact();
                }
            }
            throw new IllegalArgumentException(
                    "gpus must be a number of hundredths of one GPU, from 0.01 to 1, or a whole"
                            + " number of GPUs up to 1000, got "
                            + gpus);
        }

        private static MemorySize requirePositive(String option, MemorySize value) {
            Objects.requireNonNull(value, option);
            if (value.getBytes() < 1) {
                throw new IllegalArgumentException(option + " must be positive, got " + value);
            }
            return value;
        }
    }
}
