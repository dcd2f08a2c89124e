"""The Java side's form of what an operator declares of GPUs."""

from typing import Any

from pyflink.java_gateway import get_gateway

from pyflink_async_batch.resources import GpuResources, hundredths, memory_bytes


def j_gpu_resources(resources: GpuResources) -> Any:
    """The Java ``GpuResources`` that say the same."""
    jvm = get_gateway().jvm
    j_memory_size = jvm.org.apache.flink.configuration.MemorySize

    def size(option: str) -> Any:
        return j_memory_size(memory_bytes(option, getattr(resources, option), smallest=0))

    builder = (
        jvm.io.asyncbatch.flink.GpuResources.builder(hundredths(resources.gpus) / 100)
        .cpuCores(float(resources.cpu_cores))
        .taskHeapMemory(size("task_heap_memory"))
        .taskOffHeapMemory(size("task_off_heap_memory"))
        .managedMemory(size("managed_memory"))
    )
    if resources.memory is not None:
        builder = builder.memory(size("memory"))
    return builder.build()
