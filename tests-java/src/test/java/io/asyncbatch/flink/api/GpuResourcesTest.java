package io.asyncbatch.flink.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.GpuResources;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.apache.flink.api.common.operators.SlotSharingGroup;
import org.apache.flink.configuration.MemorySize;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GpuResourcesTest {

    @Test
    void declaresASlotWithGpus() {
        SlotSharingGroup group = GpuResources.builder(0.5).build().slotSharingGroup("classify");
        assertThat(group.getName()).isEqualTo("classify");
        assertThat(group.getExternalResources()).isEqualTo(Map.of("gpu", 0.5));
        assertThat(group.getCpuCores()).contains(1.0);
        assertThat(group.getTaskHeapMemory()).contains(MemorySize.ofMebiBytes(128));
        assertThat(group.getTaskOffHeapMemory()).contains(MemorySize.ZERO);
        assertThat(group.getManagedMemory()).contains(MemorySize.ZERO);
    }

    @Test
    void declaresWhatItIsTold() {
        GpuResources resources =
                GpuResources.builder(2)
                        .memory(MemorySize.parse("8g"))
                        .cpuCores(0.5)
                        .taskHeapMemory(MemorySize.ofMebiBytes(1))
                        .taskOffHeapMemory(MemorySize.ofMebiBytes(2))
                        .managedMemory(MemorySize.ofMebiBytes(3))
                        .build();
        SlotSharingGroup group = resources.slotSharingGroup("classify");
        assertThat(resources.getMemory()).contains(MemorySize.parse("8g"));
        assertThat(group.getExternalResources()).isEqualTo(Map.of("gpu", 2.0));
        assertThat(group.getCpuCores()).contains(0.5);
        assertThat(group.getTaskHeapMemory()).contains(MemorySize.ofMebiBytes(1));
        assertThat(group.getTaskOffHeapMemory()).contains(MemorySize.ofMebiBytes(2));
        assertThat(group.getManagedMemory()).contains(MemorySize.ofMebiBytes(3));
    }

    @Property
    void everyHundredthIsExact(@ForAll @IntRange(min = 1, max = 100) int hundredths) {
        GpuResources resources = GpuResources.builder(hundredths / 100.0).build();
        assertThat(resources.getHundredths()).isEqualTo(hundredths);
    }

    @Property
    void wholeGpusAreExact(@ForAll @IntRange(min = 1, max = 1_000) int gpus) {
        assertThat(GpuResources.builder(gpus).build().getHundredths()).isEqualTo(100 * gpus);
    }

    @ParameterizedTest
    @ValueSource(
            doubles = {
                0,
                -1,
                0.001,
                0.333,
                1.5,
                1_001,
                Double.NaN,
                Double.MIN_VALUE,
                Double.POSITIVE_INFINITY,
                Double.NEGATIVE_INFINITY
            })
    void refusesWhatNoWorkerCanHave(double gpus) {
        assertThatThrownBy(() -> GpuResources.builder(gpus))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("gpus must be a number of hundredths of one GPU")
                .hasMessageEndingWith("got " + gpus);
    }

    @Test
    void refusesNothing() {
        GpuResources.Builder builder = GpuResources.builder(1);
        assertThatThrownBy(() -> builder.memory(MemorySize.ZERO))
                .hasMessage("memory must be positive, got 0 bytes");
        assertThatThrownBy(() -> builder.taskHeapMemory(MemorySize.ZERO))
                .hasMessage("taskHeapMemory must be positive, got 0 bytes");
        assertThatThrownBy(() -> builder.cpuCores(0))
                .hasMessage("cpuCores must be positive, got 0.0");
        assertThatThrownBy(() -> builder.cpuCores(Double.NaN))
                .hasMessage("cpuCores must be positive, got NaN");
        assertThatThrownBy(() -> builder.managedMemory(null)).hasMessage("managedMemory");
    }

    @Test
    void travelsWithTheJob() throws Exception {
        GpuResources resources =
                InstantiationUtil.clone(
                        GpuResources.builder(0.5).memory(MemorySize.parse("8g")).build());
        assertThat(resources.getHundredths()).isEqualTo(50);
        assertThat(resources.getMemory()).contains(MemorySize.parse("8g"));
    }

    /** Subtasks share a worker if all that it is told is equal, this too. */
    @Test
    void whatSaysTheSameIsEqual() throws Exception {
        GpuResources half = GpuResources.builder(0.5).memory(MemorySize.parse("8g")).build();
        assertThat(InstantiationUtil.clone(half)).isEqualTo(half).hasSameHashCodeAs(half);
        assertThat(half)
                .isNotEqualTo(GpuResources.builder(0.5).build())
                .isNotEqualTo(GpuResources.builder(0.6).memory(MemorySize.parse("8g")).build());
    }
}
