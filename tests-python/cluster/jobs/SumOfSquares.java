import io.asyncbatch.flink.AsyncBatchFunction;
import io.asyncbatch.flink.AsyncBatchOptions;
import io.asyncbatch.flink.AsyncDataStream;
import java.time.Duration;
import java.util.List;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.async.ResultFuture;
import org.apache.flink.util.CloseableIterator;

/** Squares the numbers below 100 and prints their sum. */
public final class SumOfSquares {

    static final class Square implements AsyncBatchFunction<Long, Long> {
        @Override
        public void asyncInvokeBatch(List<Long> inputs, ResultFuture<Long> result) {
            result.complete(inputs.stream().map(n -> n * n).toList());
        }
    }

    public static void main(String[] args) throws Exception {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment();
        DataStream<Long> squares =
                AsyncDataStream.orderedWaitBatch(
                        env.fromSequence(0, 99),
                        new Square(),
                        AsyncBatchOptions.builder(32, Duration.ofSeconds(30)).build());
        long sum = 0;
        try (CloseableIterator<Long> results = squares.executeAndCollect()) {
            while (results.hasNext()) {
                sum += results.next();
            }
        }
        System.out.println("sum of squares: " + sum);
    }
}
