package io.asyncbatch.flink.batchapi.job;

import io.asyncbatch.flink.batchapi.BatchCodec;
import io.asyncbatch.flink.batchapi.client.BatchApi;
import io.asyncbatch.flink.batchapi.client.ResultLine;
import io.asyncbatch.flink.batchapi.client.ResultReader;
import io.asyncbatch.flink.batchapi.files.BatchDirectory;
import java.io.BufferedOutputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import org.apache.flink.annotation.Internal;

/**
 * Files of requests and results. Its methods return at once; the work, and all calls of the codec
 * that it was given, are the I/O thread's.
 *
 * @param <IN> type of the inputs
 * @param <OUT> type of the outputs
 */
@Internal
public final class JobFiles<IN, OUT> {

    private final BatchDirectory directory;
    private final BatchApi api;
    private final BatchCodec<IN, OUT> codec;
    private final Executor ioThread;

    /**
     * @param ioThread runs one task after the other
     */
    public JobFiles(
            BatchDirectory directory, BatchApi api, BatchCodec<IN, OUT> codec, Executor ioThread) {
        this.directory = directory;
        this.api = api;
        this.codec = codec;
        this.ioThread = ioThread;
    }

    /** Writes a job's requests; what was begun is gone if that fails. */
    CompletableFuture<Path> write(BatchJob<IN> job) {
        return call(
                () -> {
                    Path file = directory.newFile();
                    try (OutputStream lines =
                            new BufferedOutputStream(
                                    Files.newOutputStream(file, StandardOpenOption.WRITE))) {
                        for (int place = 0; place < job.rows.size(); place++) {
                            lines.write(
                                    api.requestLine(
                                            job.customId(place),
                                            codec.request(job.rows.get(place).value())));
                        }
                        return file;
                    } catch (Exception e) {
                        directory.remove(file);
                        throw e;
                    }
                });
    }

    /** Fetches a file of results into an own file and adds what it says; leaves nothing behind. */
    CompletableFuture<Void> fetch(String resultFile, BatchJob<IN> job, JobResults<OUT> results) {
        return call(directory::newFile)
                .thenCompose(
                        file ->
                                api.fetch(resultFile, file)
                                        .thenCompose(fetched -> read(file, job, results))
                                        .whenComplete((done, failure) -> directory.remove(file)));
    }

    private CompletableFuture<Void> read(Path file, BatchJob<IN> job, JobResults<OUT> results) {
        return call(
                () -> {
                    Map<String, Integer> places = new HashMap<>();
                    for (int place = 0; place < job.rows.size(); place++) {
                        places.put(job.customId(place), place);
                    }
                    results.unreadable(
                            ResultReader.read(
                                    file,
                                    line ->
                                            api.result(line)
                                                    .ifPresentOrElse(
                                                            result ->
                                                                    add(
                                                                            result, places, job,
                                                                            results),
                                                            () -> results.unreadable(1))));
                    return null;
                });
    }

    private void add(
            ResultLine line,
            Map<String, Integer> places,
            BatchJob<IN> job,
            JobResults<OUT> results) {
        Integer place = places.get(line.customId());
        if (place == null) {
            results.foreignId();
            return;
        }
        results.add(place, outcome(line, job.rows.get(place).value()));
    }

    private JobResults.Outcome<OUT> outcome(ResultLine line, IN row) {
        if (line.body() == null) {
            return new JobResults.Outcome<>(null, line.errorCode(), line.errorMessage());
        }
        try {
            return new JobResults.Outcome<>(codec.result(row, line.body()), null, null);
        } catch (Exception e) {
            return new JobResults.Outcome<>(null, "result_refused", Messages.forRow(e));
        }
    }

    void remove(BatchJob<IN> job) {
        if (job.requestFile != null) {
            directory.remove(job.requestFile);
            job.requestFile = null;
        }
    }

    private <T> CompletableFuture<T> call(IoCall<T> call) {
        return CompletableFuture.supplyAsync(
                () -> {
                    try {
                        return call.run();
                    } catch (Exception e) {
                        throw new CompletionException(e);
                    }
                },
                ioThread);
    }

    private interface IoCall<T> {
        T run() throws Exception;
    }
}
