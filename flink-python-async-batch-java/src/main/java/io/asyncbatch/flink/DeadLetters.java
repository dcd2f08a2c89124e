package io.asyncbatch.flink;

import org.apache.flink.annotation.PublicEvolving;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.types.Row;
import org.apache.flink.util.OutputTag;

/**
 * The side output of rows that have no result, with {@link OnFailure#DEAD_LETTER}:
 *
 * <pre>{@code
 * SingleOutputStreamOperator<OUT> results = AsyncDataStream.unorderedWaitBatch(...);
 * DataStream<Row> failed = results.getSideOutput(DeadLetters.tag(inputs.getType()));
 * }</pre>
 *
 * <p>A dead letter is a row with named fields and the timestamp of its input.
 */
@PublicEvolving
public final class DeadLetters {

    /** The input, as the function was given it. */
    public static final String INPUT = "input";

    /** The name of a {@link FailureKind}. */
    public static final String ERROR_KIND = "error_kind";

    /** The name of the error's class, in the language that the function is written in. */
    public static final String ERROR_CLASS = "error_class";

    /** What the error said, shortened to 8,192 characters. */
    public static final String MESSAGE = "message";

    /** How many calls the row was part of. */
    public static final String ATTEMPTS = "attempts";

    /** When it was given up, by the machine's clock. */
    public static final String FAILED_AT = "failed_at";

    /** Fields of a dead letter, in the order above. */
    public static final int ARITY = 6;

    /** What the side output is called. */
    public static final String TAG_ID = "async-batch-dead-letters";

    private DeadLetters() {}

    /**
     * @param inputType of the stream that the function is applied to
     */
    public static OutputTag<Row> tag(TypeInformation<?> inputType) {
        return new OutputTag<>(TAG_ID, type(inputType));
    }

    /** The type of a dead letter. */
    public static TypeInformation<Row> type(TypeInformation<?> inputType) {
        return Types.ROW_NAMED(
                new String[] {INPUT, ERROR_KIND, ERROR_CLASS, MESSAGE, ATTEMPTS, FAILED_AT},
                inputType,
                Types.STRING,
                Types.STRING,
                Types.STRING,
                Types.INT,
                Types.INSTANT);
    }
}
