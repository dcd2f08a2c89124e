package io.asyncbatch.flink.benchmark;

import org.apache.flink.api.common.typeutils.base.LongSerializer;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.testutils.MockEnvironment;
import org.apache.flink.runtime.state.hashmap.HashMapStateBackend;
import org.apache.flink.streaming.api.graph.StreamConfig;
import org.apache.flink.streaming.api.operators.BoundedOneInput;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperatorFactoryUtil;
import org.apache.flink.streaming.api.operators.StreamTaskStateInitializerImpl;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.tasks.StreamTask;
import org.apache.flink.streaming.runtime.tasks.mailbox.MailboxDefaultAction;

/**
 * A task of one operator, with Flink's own mailbox loop and timers, but with a counter for its
 * input and another for its output. Owned by the thread that makes it.
 *
 * <p>Flink's test harness would be less code, but copies every row and keeps every cancelled timer.
 */
final class OperatorTask extends StreamTask<Long, OneInputStreamOperator<Long, Long>>
        implements AutoCloseable {

    private final MockEnvironment environment;
    private final OneInputStreamOperator<Long, Long> operator;
    private final CountingOutput output = new CountingOutput();

    private long rows;
    private long rowsWanted;

    private OperatorTask(MockEnvironment environment, StreamOperatorFactory<Long> factory)
            throws Exception {
        super(environment);
        this.environment = environment;
        StreamConfig config = getConfiguration();
        config.setOperatorID(new OperatorID());
        config.setupNetworkInputs(LongSerializer.INSTANCE);
        config.setTypeSerializerOut(LongSerializer.INSTANCE);
        config.serializeAllConfigs();
        operator =
                StreamOperatorFactoryUtil.<Long, OneInputStreamOperator<Long, Long>>createOperator(
                                factory, this, config, output, null)
                        .f0;
        operator.initializeState(
                new StreamTaskStateInitializerImpl(environment, new HashMapStateBackend()));
        operator.open();
    }

    static OperatorTask open(StreamOperatorFactory<Long> factory) throws Exception {
        return new OperatorTask(MockEnvironment.builder().build(), factory);
    }

    /** Has that many rows more go in, and runs what mails there are before and between them. */
    void take(int count) throws Exception {
        rowsWanted += count;
        runMailboxLoop();
    }

    @Override
    protected void init() {}

    /** Hands rows over until a mail waits, as the input of a real task does. */
    @Override
    protected void processInput(MailboxDefaultAction.Controller controller) throws Exception {
        do {
            long row = rows++;
            operator.processElement(new StreamRecord<>(row, row));
        } while (rows < rowsWanted && !mailboxProcessor.hasMail());
        if (rows == rowsWanted) {
            mailboxProcessor.suspend();
        }
    }

    /** Ends the input, and makes sure that what was measured is work that was done. */
    @Override
    public void close() throws Exception {
        ((BoundedOneInput) operator).endInput();
        operator.close();
        cancel();
        environment.close();
        if (output.rows() != rows) {
            throw new IllegalStateException(
                    "of " + rows + " rows, " + output.rows() + " left the operator");
        }
    }
}
