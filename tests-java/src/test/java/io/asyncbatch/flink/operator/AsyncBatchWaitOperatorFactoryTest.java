package io.asyncbatch.flink.operator;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** What Flink asks the factory while it builds the job graph. */
class AsyncBatchWaitOperatorFactoryTest {

    private final AsyncBatchWaitOperatorFactory<Integer, Integer> factory =
            new AsyncBatchWaitOperatorFactory<>(
                    Settings.ordered().build(),
                    () -> new FakeInvoker<Integer, Integer>(value -> value),
                    row -> 1);

    @Test
    void wantsToBeToldTheOutputTypeForTheState() {
        assertThat(factory.isOutputTypeConfigurable()).isTrue();
    }

    @Test
    void namesTheOperatorItCreates() {
        assertThat(factory.getStreamOperatorClass(getClass().getClassLoader()))
                .isEqualTo(AsyncBatchWaitOperator.class);
    }
}
