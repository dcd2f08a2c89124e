package io.asyncbatch.flink.benchmark.overload;

import io.asyncbatch.flink.limit.BackendControl;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.apache.flink.annotation.Internal;

/** Lives through a trace with one policy. */
@Internal
public final class Simulation {

    private static final double LIMIT_SAMPLE_SECONDS = 0.5;
    private static final int LATENCY_SEED = 31;

    private final VirtualTime time = new VirtualTime();
    private final Trace trace;
    private final SimulatedBackend backend;
    private final List<BackendControl> controls = new ArrayList<>();
    private final List<SimulatedClient> clients = new ArrayList<>();
    private final List<Recorder> recorders = new ArrayList<>();

    /**
     * What came out; of all clients together, unless it says otherwise.
     *
     * @param rowsPerSecond rows with results, a second of those that are measured
     * @param p50Millis from a batch's first call to its results
     * @param p99Millis likewise
     * @param calls of each second
     * @param failures of each second: refused, failed or timed out
     * @param rows of each second
     * @param p99MillisOfSecond of each second; 0 where nothing was done
     * @param limits of each second, the sum over clients
     * @param rowsOfClients rows of each client in the seconds that are measured
     * @param oldestHeldSeconds how long the oldest batch without results has been there at the end
     * @param hedges calls beside one that was under way for the same rows
     */
    @Internal
    public record Outcome(
            double rowsPerSecond,
            double p50Millis,
            double p99Millis,
            long[] calls,
            long[] failures,
            long[] rows,
            double[] p99MillisOfSecond,
            long[] limits,
            long[] rowsOfClients,
            double oldestHeldSeconds,
            long hedges) {}

    private Simulation(
            Trace trace, BackendModel model, int clientsOfAControl, Policy policy, long seed) {
        this.trace = trace;
        this.backend = new SimulatedBackend(time, model, trace.stragglers(), seed);
        for (int i = 0; i < trace.clients(); i++) {
            if (i % clientsOfAControl == 0) {
                controls.add(policy.control());
            }
            Recorder recorder = new Recorder(trace);
            SimulatedClient client =
                    new SimulatedClient(
                            time,
                            backend,
                            trace,
                            model.bestRowsPerSecond() / trace.clients(),
                            controls.get(controls.size() - 1),
                            policy,
                            recorder,
                            LATENCY_SEED * seed + i + 1);
            recorders.add(recorder);
            clients.add(client);
            time.at(i * trace.stagger(), client::begin);
        }
        schedule();
    }

    /** One server, and clients that know nothing of each other. */
    public static Outcome run(Trace trace, Policy policy, long seed) {
        return run(trace, 1, 1, policy, seed);
    }

    /**
     * The same arguments give the same outcome.
     *
     * @param servers behind one load balancer
     * @param clientsOfAControl neighbours among the clients that share what the policy decides, as
     *     the subtasks of a TaskManager do that name the same backend
     */
    public static Outcome run(
            Trace trace, int servers, int clientsOfAControl, Policy policy, long seed) {
        Simulation simulation =
                new Simulation(
                        trace, BackendModel.GPU.times(servers), clientsOfAControl, policy, seed);
        simulation.time.runUntil(trace.seconds());
        return simulation.outcome();
    }

    private void schedule() {
        for (Trace.Slowness slow : trace.slowness()) {
            time.at(slow.span().from(), () -> backend.slowDown(slow.factor()));
            time.at(slow.span().to(), () -> backend.slowDown(1));
        }
        for (Trace.Span outage : trace.outages()) {
            time.at(outage.from(), backend::die);
            time.at(outage.to(), backend::comeBack);
        }
        for (Trace.Neighbour neighbour : trace.neighbours()) {
            for (int i = 0; i < neighbour.batches(); i++) {
                time.at(neighbour.span().from(), () -> callAsNeighbour(neighbour));
            }
        }
        sampleLimits();
    }

    private void callAsNeighbour(Trace.Neighbour neighbour) {
        if (time.seconds() >= neighbour.span().to()) {
            return;
        }
        backend.call(
                BackendModel.BATCH_ROWS,
                answer -> {
                    double pause = answer == SimulatedBackend.Answer.DONE ? 0 : 0.2;
                    time.after(VirtualTime.nanosOf(pause), () -> callAsNeighbour(neighbour));
                });
    }

    private void sampleLimits() {
        // In the record of one of them, since it is of all that share it.
        int clientsOfAControl = clients.size() / controls.size();
        for (int i = 0; i < controls.size(); i++) {
            recorders.get(i * clientsOfAControl).limit(time.seconds(), controls.get(i).limit());
        }
        time.after(VirtualTime.nanosOf(LIMIT_SAMPLE_SECONDS), this::sampleLimits);
    }

    private Outcome outcome() {
        int from = (int) trace.measuredFrom();
        int seconds = (int) trace.seconds();
        long[] calls = new long[seconds];
        long[] failures = new long[seconds];
        long[] rows = new long[seconds];
        long[] limits = new long[seconds];
        double[] p99s = new double[seconds];
        Recorder.LatencyList measured = new Recorder.LatencyList();
        for (int second = 0; second < seconds; second++) {
            Recorder.LatencyList latencies = new Recorder.LatencyList();
            for (Recorder recorder : recorders) {
                calls[second] += recorder.calls()[second];
                failures[second] += recorder.failures()[second];
                rows[second] += recorder.rows()[second];
                limits[second] += recorder.limits()[second];
                latencies.addAll(recorder.latencies()[second]);
            }
            p99s[second] = latencies.quantile(0.99);
        }
        recorders.forEach(recorder -> measured.addAll(recorder.measured()));
        return new Outcome(
                Arrays.stream(rows).skip(from).sum() / (trace.seconds() - from),
                measured.quantile(0.5),
                measured.quantile(0.99),
                calls,
                failures,
                rows,
                p99s,
                limits,
                recorders.stream()
                        .mapToLong(recorder -> Arrays.stream(recorder.rows()).skip(from).sum())
                        .toArray(),
                clients.stream().mapToDouble(SimulatedClient::oldestHeldSeconds).max().orElse(0),
                clients.stream().mapToLong(SimulatedClient::hedges).sum());
    }
}
