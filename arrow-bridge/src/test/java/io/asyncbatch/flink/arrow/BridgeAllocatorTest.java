package io.asyncbatch.flink.arrow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.apache.arrow.memory.ArrowBuf;
import org.apache.arrow.memory.BufferAllocator;
import org.apache.arrow.memory.OutOfMemoryException;
import org.junit.jupiter.api.Test;

class BridgeAllocatorTest {

    @Test
    void childrenAreNamedAndBounded() {
        try (BridgeAllocator allocator = new BridgeAllocator("task", 1 << 20)) {
            BufferAllocator child = allocator.child("write", 1 << 10);
            assertThat(child.getName()).isEqualTo("task/write");
            assertThat(child.getLimit()).isEqualTo(1 << 10);
            assertThatThrownBy(() -> child.buffer(1 << 11))
                    .isInstanceOf(OutOfMemoryException.class);
        }
    }

    @Test
    void rootBoundsAllChildrenTogether() {
        try (BridgeAllocator allocator = new BridgeAllocator("task", 1 << 11)) {
            BufferAllocator one = allocator.child("one", 1 << 11);
            BufferAllocator other = allocator.child("other", 1 << 11);
            try (ArrowBuf held = one.buffer(1 << 11)) {
                assertThat(allocator.allocatedBytes()).isEqualTo(held.capacity());
                assertThatThrownBy(() -> other.buffer(1 << 10))
                        .isInstanceOf(OutOfMemoryException.class);
            }
        }
    }

    @Test
    void leakIsReportedByNameAndClosesTheOthers() {
        BridgeAllocator allocator = new BridgeAllocator("task", 1 << 20);
        ArrowBuf leaked = allocator.child("leaky", 1 << 20).buffer(64);
        BufferAllocator clean = allocator.child("clean", 1 << 20);
        assertThatThrownBy(allocator::close)
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("task/leaky")
                .hasMessageContaining("64 bytes");
        assertThatThrownBy(() -> clean.buffer(1)).isInstanceOf(IllegalStateException.class);
        allocator.close();
        assertThatThrownBy(() -> allocator.child("late", 1)).hasMessageContaining("task is closed");
        assertThat(leaked.refCnt()).isOne();
    }

    @Test
    void limitsArePositive() {
        assertThatThrownBy(() -> new BridgeAllocator("task", 0))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("limitBytes=0");
    }
}
