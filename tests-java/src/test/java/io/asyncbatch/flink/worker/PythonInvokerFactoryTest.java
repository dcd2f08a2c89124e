package io.asyncbatch.flink.worker;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.asyncbatch.flink.GpuResources;
import io.asyncbatch.flink.invoker.BatchInvoker;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.python.PythonOptions;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.util.InstantiationUtil;
import org.junit.jupiter.api.Test;

class PythonInvokerFactoryTest {

    private static final GpuResources HALF = GpuResources.builder(0.5).build();

    private static final WorkerRestarts RESTARTS = new WorkerRestarts(1, 1, 1, 1);

    @Test
    void gpusNeedAWorkerProcess() throws Exception {
        assertThat(invoker("process", HALF)).isInstanceOf(PythonProcessInvoker.class);
        assertThat(invoker("thread", null)).isInstanceOf(PythonThreadInvoker.class);
        assertThatThrownBy(() -> invoker("thread", HALF))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "python.execution-mode must be 'process' where resources are declared,"
                                + " got 'thread'");
    }

    @Test
    void onlyAWorkerProcessOfItsOwnCanBeRestarted() throws Exception {
        assertThat(invoker("process", null, null, RESTARTS)).isInstanceOf(RestartingInvoker.class);
        assertThatThrownBy(() -> invoker("thread", null, null, RESTARTS))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "python.execution-mode must be 'process' where worker_restart is given,"
                                + " got 'thread'");
        WorkerSharing sharing = new WorkerSharing(1, 1, 1, false);
        assertThatThrownBy(() -> invoker("process", null, sharing, RESTARTS))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith(
                        "worker must be 'own' where worker_restart is given, got 'shared'");
    }

    private static BatchInvoker<Long, Long> invoker(String mode, GpuResources gpus)
            throws Exception {
        return invoker(mode, gpus, null, null);
    }

    /** As a task makes it, from what was submitted. */
    private static BatchInvoker<Long, Long> invoker(
            String mode, GpuResources gpus, WorkerSharing sharing, WorkerRestarts restarts)
            throws Exception {
        Configuration configuration = new Configuration();
        configuration.set(PythonOptions.PYTHON_EXECUTION_MODE, mode);
        return InstantiationUtil.clone(
                        new PythonInvokerFactory<>(
                                new PythonFunction("Identity", new byte[0], new byte[0]),
                                Types.LONG,
                                Types.LONG,
                                new SubmittedPythonConfiguration(
                                        StreamExecutionEnvironment.getExecutionEnvironment(
                                                configuration)),
                                new WorkerLimits(1, 1, 1, 1, gpus),
                                sharing,
                                restarts))
                .createInvoker();
    }
}
