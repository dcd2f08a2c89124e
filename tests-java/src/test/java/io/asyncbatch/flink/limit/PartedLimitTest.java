package io.asyncbatch.flink.limit;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class PartedLimitTest {

    private final PartedLimit limit = new PartedLimit(10);

    @Test
    void isTheSumOfThePartsThatAreHere() {
        assertThat(limit.limit()).isEqualTo(1);
        limit.add("classify", 3);
        limit.add("classify", 2);
        assertThat(limit.limit()).isEqualTo(5);
        limit.remove("classify", 3);
        assertThat(limit.limit()).isEqualTo(2);
        limit.remove("classify", 2);
        assertThat(limit.limit()).isEqualTo(1);
    }

    @Test
    void keepsThePartsOfThoseWhoHaveNothingToCallForUntilTheirGroupIsGone() {
        limit.add("classify", 3);
        limit.add("classify", 2);
        limit.finish("classify");
        assertThat(limit.limit()).isEqualTo(5);
        limit.remove("classify", 2);
        assertThat(limit.limit()).isEqualTo(1);
        limit.add("classify", 2);
        assertThat(limit.limit()).isEqualTo(2);
        limit.finish("classify");
        assertThat(limit.limit()).isEqualTo(1);
    }

    @Test
    void isNotTheSumOfGroupsThatHaveTheSameWhole() {
        limit.add("classify", 5);
        limit.add("embed", 4);
        limit.add("embed", 3);
        assertThat(limit.limit()).isEqualTo(7);
        limit.remove("embed", 4);
        assertThat(limit.limit()).isEqualTo(5);
    }

    @Test
    void isNeverMoreThanTheWhole() {
        for (int subtask = 0; subtask < 12; subtask++) {
            limit.add("more than there are calls", 1);
        }
        assertThat(limit.limit()).isEqualTo(10);
    }
}
