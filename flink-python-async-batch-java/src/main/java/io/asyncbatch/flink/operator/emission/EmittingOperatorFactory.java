package io.asyncbatch.flink.operator.emission;

import java.io.IOException;
import java.io.ObjectInputStream;
import org.apache.flink.annotation.Internal;
import org.apache.flink.api.common.ExecutionConfig;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeutils.TypeSerializer;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.legacy.YieldingOperatorFactory;

/**
 * Creates a subtask's {@link EmittingOperator}, which yields to the mailbox and may be chained to
 * any other. Travels with the job graph; used by the task's thread.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
@SuppressWarnings("deprecation") // the interface is how a task knows that the operator yields
public abstract class EmittingOperatorFactory<IN, OUT> extends AbstractStreamOperatorFactory<OUT>
        implements OneInputStreamOperatorFactory<IN, OUT>, YieldingOperatorFactory<OUT> {

    private static final long serialVersionUID = 1L;

    private TypeSerializer<OUT> outputSerializer;

    protected EmittingOperatorFactory() {
        SupportedFlink.require();
        this.chainingStrategy = ChainingStrategy.ALWAYS;
    }

    /** Where the operator is to run, whose Flink need not be that of the client. */
    private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
        SupportedFlink.require();
        in.defaultReadObject();
    }

    @Override
    public final boolean isOutputTypeConfigurable() {
        return true;
    }

    /** Called while the job graph is built, when the type is known for certain. */
    @Override
    public final void setOutputType(TypeInformation<OUT> type, ExecutionConfig executionConfig) {
        outputSerializer = type.createSerializer(executionConfig.getSerializerConfig());
    }

    protected final TypeSerializer<OUT> outputSerializer() {
        return outputSerializer;
    }
}
