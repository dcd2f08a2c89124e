package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.IntStream;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

class StaticSplitProperties {

    @Property(tries = 500)
    void partsAddUpAndDifferByOneAtMost(
            @ForAll @IntRange(min = 1, max = 1_000) int whole,
            @ForAll @IntRange(min = 1, max = 200) int parallelism) {
        int[] parts =
                IntStream.range(0, parallelism)
                        .map(subtask -> StaticSplit.part(whole, parallelism, subtask))
                        .toArray();
        assertThat(IntStream.of(parts).sum()).isEqualTo(Math.max(whole, parallelism));
        assertThat(IntStream.of(parts).max().orElseThrow())
                .isLessThanOrEqualTo(IntStream.of(parts).min().orElseThrow() + 1);
    }

    @Example
    void refusesASubtaskThatIsNone() {
        assertThatThrownBy(() -> StaticSplit.part(4, 2, 2))
                .hasMessage("no part of a limit for subtask 2 of 2: whole=4");
    }
}
