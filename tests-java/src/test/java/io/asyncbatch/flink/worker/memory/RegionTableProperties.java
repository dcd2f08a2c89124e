package io.asyncbatch.flink.worker.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class RegionTableProperties {

    private static final long PAGES = 64;
    private static final long PAGE = RegionTable.PAGE_BYTES;

    /** A positive step takes so many bytes, a negative one gives one of the taken regions back. */
    @Property(tries = 1_000)
    void regionsAreDisjointAndTheLowestThatFit(
            @ForAll @Size(max = 200) List<@IntRange(min = -64, max = 80_000) Integer> steps) {
        RegionTable table = new RegionTable(PAGES * PAGE);
        TreeMap<Long, Long> taken = new TreeMap<>();
        for (int step : steps) {
            if (step > 0) {
                long expected = lowestGap(taken, step);
                long offset = table.take(step);
                assertThat(offset).isEqualTo(expected);
                if (offset >= 0) {
                    taken.put(offset, (step + PAGE - 1) / PAGE * PAGE);
                }
            } else if (!taken.isEmpty()) {
                List<Long> offsets = new ArrayList<>(taken.keySet());
                long offset = offsets.get(-step % offsets.size());
                table.giveBack(offset);
                taken.remove(offset);
            }
            assertThat(table.takenBytes())
                    .isEqualTo(taken.values().stream().mapToLong(Long::longValue).sum());
        }
        taken.keySet().forEach(table::giveBack);
        assertThat(table.take(PAGES * PAGE)).isZero();
    }

    private static long lowestGap(TreeMap<Long, Long> taken, long bytes) {
        long begin = 0;
        for (Map.Entry<Long, Long> region : taken.entrySet()) {
            if (region.getKey() - begin >= bytes) {
                return begin;
            }
            begin = region.getKey() + region.getValue();
        }
        return PAGES * PAGE - begin >= bytes ? begin : -1;
    }

    @Test
    void refusesWhatWasNotTaken() {
        RegionTable table = new RegionTable(4 * PAGE);
        assertThat(table.take(2 * PAGE)).isZero();
        assertThatThrownBy(() -> table.giveBack(PAGE))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("no region is taken at offset 4096");
        table.giveBack(0);
        assertThatThrownBy(() -> table.giveBack(0)).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new RegionTable(PAGE + 1)).hasMessageContaining("4097");
    }
}
