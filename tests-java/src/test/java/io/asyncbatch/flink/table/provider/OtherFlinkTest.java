package io.asyncbatch.flink.table.provider;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.mockito.Mockito.mockStatic;

import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.util.InstantiationUtil;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.mockito.MockedStatic;

/** A Flink that the operator refuses is refused behind {@code ML_PREDICT} as well. */
class OtherFlinkTest {

    @Test
    void thePlannerGetsNoProvider() {
        assertRefused(() -> new AsyncBatchModelProviderFactory().createModelProvider(null));
    }

    /** The TaskManager's Flink need not be the planner's. */
    @Test
    void noFunctionIsTakenOver() throws Exception {
        byte[] function =
                InstantiationUtil.serializeObject(
                        new BatchingPredictFunction<>("model", null, null));
        ThrowingCallable takeOver =
                () -> InstantiationUtil.deserializeObject(function, getClass().getClassLoader());
        assertThatCode(takeOver).doesNotThrowAnyException();
        assertRefused(takeOver);
    }

    private static void assertRefused(ThrowingCallable call) {
        try (MockedStatic<EnvironmentInformation> flink =
                mockStatic(EnvironmentInformation.class)) {
            flink.when(EnvironmentInformation::getVersion).thenReturn("2.4.0");
            assertThatThrownBy(call)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageEndingWith("this is Flink 2.4.0");
        }
    }
}
