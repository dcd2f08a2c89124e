package io.asyncbatch.flink.table.gather;

import static io.asyncbatch.flink.table.gather.GathererRig.BATCH_TIMEOUT;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

class GathererProperties {

    /** Whatever the order of rows, time, results and failures: no future is forgotten. */
    @Property(tries = 300)
    void everyFutureCompletes(@ForAll @Size(max = 60) List<@IntRange(max = 9) Integer> events)
            throws Exception {
        GathererRig rig = new GathererRig();
        List<CompletableFuture<String>> rows = new ArrayList<>();
        for (int event : events) {
            switch (event) {
                case 0, 1, 2, 3, 4, 5 -> rows.addAll(rig.add(rows.size()));
                case 6 -> rig.advance(BATCH_TIMEOUT);
                case 7, 8 -> rig.calls.answerOne(true);
                default -> rig.calls.answerOne(rows.size() % 4 != 0);
            }
            rig.mails.runAll();
        }
        while (rows.stream().anyMatch(row -> !row.isDone())) {
            rig.advance(BATCH_TIMEOUT);
            rig.calls.answerOne(true);
            rig.mails.runAll();
        }
        IntStream.range(0, rows.size())
                .filter(row -> !rows.get(row).isCompletedExceptionally())
                .forEach(row -> assertThat(rows.get(row)).isCompletedWithValue("r" + row));
        assertThat(rig.timers.active()).isZero();
    }
}
