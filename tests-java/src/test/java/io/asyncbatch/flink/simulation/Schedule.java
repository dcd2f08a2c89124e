package io.asyncbatch.flink.simulation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.asyncbatch.flink.operator.state.SavedElement;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Deque;
import java.util.List;
import javax.annotation.Nullable;
import org.apache.flink.runtime.checkpoint.OperatorSubtaskState;

/**
 * One job with the operator in it, from its start to its end, as the choices say: who does
 * something next, what comes, what fails, when there is a checkpoint, when the job is started
 * again. Used by one thread.
 *
 * <p>Its rows come from a source that starts again behind the last checkpoint, to whichever subtask
 * is ready for one. What leaves counts once a checkpoint that it came before is complete, as with a
 * sink of two phases.
 */
final class Schedule implements SimulatedSubtask.Job {

    private static final int MOST_STEPS = 50_000;
    private static final int LIVES_WITH_FAULTS = 8;
    private static final int MOST_LIVES = 60;

    /** The job was stopped, to be started again. */
    private static final class Stopped extends Error {

        private static final long serialVersionUID = 1L;
    }

    /**
     * Where everything stood when a snapshot was taken.
     *
     * @param covered rows that need not come once more
     * @param left rows that left before
     * @param leftOut rows that failed before, and left nothing
     */
    private record Checkpoint(
            List<OperatorSubtaskState> states, BitSet covered, BitSet left, BitSet leftOut) {}

    /** A subtask and what is to come to it. */
    private final class Place {
        private final SimulatedSubtask subtask;
        private boolean inputIsThere = true;
        private boolean barrierIsThere;
        private boolean wasSilent;
        @Nullable private OperatorSubtaskState snapshot;
        private BitSet coveredThen = new BitSet();
        private BitSet leftThen = new BitSet();
        private BitSet leftOutThen = new BitSet();

        private Place(SimulatedSubtask subtask) {
            this.subtask = subtask;
        }

        private boolean takesInput() {
            return inputIsThere && !subtask.isHeld() && !subtask.isEnding();
        }

        private boolean takesBarrier() {
            return barrierIsThere && !subtask.isHeld();
        }
    }

    private final Choices choices;
    private final Trace trace;
    private final Coverage coverage;
    private final VirtualTime time;
    private final Scenario scenario;

    private List<Place> places = new ArrayList<>();
    private final Deque<Integer> toCome = new ArrayDeque<>();

    /** What counts for good. */
    private Checkpoint last = new Checkpoint(List.of(), new BitSet(), new BitSet(), new BitSet());

    /** Where the operators that run now began. */
    private Checkpoint origin = last;

    private int lives;
    private int faults;
    private int checkpoints;
    private long watermark;
    private int steps;
    private boolean checkpointIsUnderWay;

    Schedule(Choices choices, Trace trace, Coverage coverage, String name) {
        this.choices = choices;
        this.trace = trace;
        this.coverage = coverage;
        this.time = new VirtualTime(choices, trace);
        trace.startAt(time::elapsedMicros);
        this.scenario = new Scenario(choices, name);
        this.faults = scenario.faults;
    }

    /**
     * @throws AssertionError if something does not hold
     */
    void run() throws Exception {
        trace.say("%s", scenario.toString());
        for (int number = 1; number <= scenario.rows; number++) {
            toCome.add(number);
        }
        planWhatMayHappen();
        try {
            start(scenario.subtasks);
            while (!isDone()) {
                goOn();
            }
            end();
        } finally {
            for (Place place : places) {
                place.subtask.close();
            }
        }
    }

    private void planWhatMayHappen() {
        plan(scenario.checkpoints, "a checkpoint begins", this::beginCheckpoint);
        plan(scenario.crashes, "the job is stopped", this::stop);
        plan(scenario.kills, "a worker is killed", this::killAWorker);
    }

    private void plan(int times, String what, Runnable action) {
        long micros = 0;
        for (int i = 0; i < times; i++) {
            micros += choices.below((int) (2 * scenario.paceMicros));
            time.in(micros, what, action);
        }
    }

    private void stop() {
        coverage.reachIf(
                places.stream()
                        .anyMatch(place -> place.subtask.isHeld() && !place.subtask.isEnding()),
                Reached.CRASH_WHILE_INPUT_IS_HELD);
        throw new Stopped();
    }

    private void killAWorker() {
        if (!places.isEmpty()) {
            places.get(choices.below(places.size())).subtask.invoker().kill();
        }
    }

    // ------------------------------------------------------------------ lives

    private void goOn() throws Exception {
        try {
            if (!step()) {
                fail("nothing happens any more, and the job has not ended");
            }
        } catch (Stopped stopped) {
            coverage.reach(Reached.CRASH);
            restart();
        } catch (TaskFailed failed) {
            if (places.stream().noneMatch(place -> place.subtask.mayHaveEnded())) {
                throw new AssertionError(
                        "a task failed, and nothing went wrong", failed.getCause());
            }
            trace.say("the job fails: %s", String.valueOf(failed.getCause()));
            restart();
        }
    }

    private void restart() throws Exception {
        for (Place place : places) {
            coverage.reachIf(place.subtask.isEnding(), Reached.CRASH_AT_THE_END_OF_INPUT);
            place.subtask.close();
        }
        checkpointIsUnderWay = false;
        assertThat(++lives).as("times that the job was started again").isLessThan(MOST_LIVES);
        if (isHealed()) {
            faults = 0;
        }
        coverage.reachIf(scenario.restarted(), Reached.RESTORED_WITH_OTHER_SETTINGS);
        int parallelism = Math.max(1, places.size());
        if (choices.chance(scenario.rescaled)) {
            parallelism = 1 + choices.below(3);
        }
        toCome.clear();
        for (int number = 1; number <= scenario.rows; number++) {
            if (!last.covered().get(number)) {
                toCome.add(number);
            }
        }
        trace.say(
                "the job starts again with %d subtasks and %s",
                parallelism, scenario.settings().toString());
        start(parallelism);
    }

    private void start(int parallelism) throws Exception {
        places = new ArrayList<>();
        origin = last;
        int before = last.states().size();
        coverage.reachIf(before > 0 && parallelism > before, Reached.SCALED_UP);
        coverage.reachIf(parallelism < before, Reached.SCALED_DOWN);
        coverage.reachIf(
                parallelism > 1 && scenario.settings().overload().backend() != null,
                Reached.SUBTASKS_SHARED_A_BACKEND);
        List<OperatorSubtaskState> states = SavedState.distribute(last.states(), parallelism);
        try {
            for (int index = 0; index < parallelism; index++) {
                SimulatedSubtask subtask =
                        new SimulatedSubtask(
                                index, parallelism, scenario, this, choices, time, trace, coverage);
                places.add(new Place(subtask));
                OperatorSubtaskState state = states.isEmpty() ? null : states.get(index);
                List<SavedElement<Integer, Integer>> elements =
                        state == null
                                ? List.of()
                                : SavedState.asRestored(state, index, parallelism);
                subtask.open(state, elements);
            }
        } catch (TaskFailed failed) {
            if (places.stream().noneMatch(place -> place.subtask.mayHaveEnded())) {
                throw new AssertionError(
                        "a task failed, and nothing went wrong", failed.getCause());
            }
            restart();
        }
    }

    private boolean isDone() {
        return toCome.isEmpty() && places.stream().allMatch(place -> place.subtask.hasEnded());
    }

    // ------------------------------------------------------------------ steps

    /** Has one thing happen. False if there is nothing that could. */
    private boolean step() {
        if (++steps > MOST_STEPS) {
            fail("it goes on for ever");
        }
        List<Runnable> actions = actions();
        if (!actions.isEmpty() && !(time.hasNext() && choices.chance(scenario.eventsFirst))) {
            actions.get(choices.below(actions.size())).run();
            return true;
        }
        if (!time.hasNext()) {
            return false;
        }
        if (actions.isEmpty()) {
            checkThatAllMayWait();
            haveTimePass();
        } else {
            passTimeInVain();
        }
        return true;
    }

    private List<Runnable> actions() {
        List<Runnable> actions = new ArrayList<>();
        for (Place place : places) {
            if (place.subtask.mailbox().hasMail()) {
                actions.add(place.subtask::runMail);
            }
            if (place.takesBarrier()) {
                actions.add(() -> takeBarrier(place));
            } else if (place.takesInput()) {
                actions.add(() -> input(place));
            }
        }
        return actions;
    }

    private void checkThatAllMayWait() {
        if (scenario.settings().overload().backend() != null) {
            for (Place place : places) {
                long busyUntil = place.subtask.invoker().busyUntilMicros();
                places.forEach(other -> other.subtask.couldNotGoOnUntil(busyUntil));
            }
        }
        places.forEach(place -> place.subtask.checkThatItMayWait());
    }

    /**
     * The operator of a subtask waits in its mailbox, and all else goes on. If another one's waits
     * too meanwhile, this one's mails are run where that waits.
     */
    @Override
    public void goOnUntilMail(SimulatedMailbox waiting) {
        while (!waiting.hasMail() && waiting.waitsInVain()) {
            if (!step()) {
                // One that was told to fail is cancelled where it waits.
                places.forEach(place -> place.subtask.checkThatItGoesOn());
                fail("an operator waits, and nothing will ever happen");
            }
        }
        while (waiting.hasMail() && time.hasNext() && choices.chance(scenario.eventsFirst)) {
            passTimeInVain();
        }
    }

    /** Somebody who could go on does not, as his thread is held up. */
    private void passTimeInVain() {
        haveTimePass();
        places.forEach(place -> place.subtask.couldNotGoOnUntil(time.micros()));
    }

    private void haveTimePass() {
        time.next();
        places.forEach(place -> place.subtask.checkThatItGoesOn());
    }

    private void input(Place place) {
        if (toCome.isEmpty()) {
            endInput(place);
            return;
        }
        if (choices.chance(scenario.fences)) {
            fence(place.subtask);
        } else {
            place.subtask.row(Rows.row(toCome.remove()));
        }
        if (choices.chance(scenario.gaps)) {
            place.inputIsThere = false;
            long micros = choices.below((int) (1 + 2 * scenario.inputGapMicros));
            time.in(micros, "there is input", () -> place.inputIsThere = true);
        }
    }

    private void fence(SimulatedSubtask subtask) {
        int kind = choices.below(6);
        switch (kind) {
            case 4 -> subtask.status(choices.below(2) == 1);
            case 5 -> subtask.attributes(choices.below(2) == 1);
            default -> subtask.watermark(++watermark);
        }
    }

    private void endInput(Place place) {
        if (scenario.silentBeforeTheEnd && !place.wasSilent) {
            place.wasSilent = true;
            place.inputIsThere = false;
            coverage.reach(Reached.LONG_SILENCE);
            time.in(
                    60 * Scenario.SECOND,
                    "there is the end of the input",
                    () -> place.inputIsThere = true);
            return;
        }
        place.subtask.endInput();
    }

    // ------------------------------------------------------------ checkpoints

    private void beginCheckpoint() {
        if (checkpointIsUnderWay) {
            return;
        }
        checkpointIsUnderWay = true;
        checkpoints++;
        for (Place place : places) {
            place.barrierIsThere = true;
            place.snapshot = null;
        }
    }

    private void takeBarrier(Place place) {
        place.barrierIsThere = false;
        // Nothing comes to it until it has drained, if it does.
        boolean inputWasThere = place.inputIsThere;
        place.inputIsThere = false;
        OperatorSubtaskState state = place.subtask.snapshot(checkpoints);
        place.inputIsThere = inputWasThere || place.inputIsThere;
        Ledger ledger = place.subtask.ledger();
        List<SavedElement<Integer, Integer>> elements = SavedState.elements(state);
        elements.removeIf(SavedElement.Origin.class::isInstance);
        ledger.isSavedAs(elements);
        coverage.reachIf(has(elements, SavedElement.Input.class), Reached.CHECKPOINT_WITH_INPUTS);
        coverage.reachIf(has(elements, SavedElement.Result.class), Reached.CHECKPOINT_WITH_RESULTS);
        coverage.reachIf(
                has(elements, SavedElement.Failed.class), Reached.CHECKPOINT_WITH_FAILED_ROWS);
        coverage.reachIf(
                has(elements, SavedElement.Mark.class), Reached.CHECKPOINT_WITH_WATERMARKS);
        place.snapshot = state;
        place.coveredThen = ledger.given();
        place.leftThen = ledger.left();
        place.leftOutThen = ledger.leftOut();
        if (places.stream().allMatch(other -> other.snapshot != null)) {
            completeCheckpoint();
        }
    }

    private static boolean has(List<SavedElement<Integer, Integer>> elements, Class<?> kind) {
        return elements.stream().anyMatch(kind::isInstance);
    }

    private void completeCheckpoint() {
        trace.say("checkpoint %d is complete", checkpoints);
        coverage.reach(Reached.CHECKPOINT);
        checkpointIsUnderWay = false;
        BitSet covered = (BitSet) origin.covered().clone();
        BitSet left = (BitSet) origin.left().clone();
        BitSet leftOut = (BitSet) origin.leftOut().clone();
        List<OperatorSubtaskState> states = new ArrayList<>();
        BitSet saved = new BitSet();
        for (Place place : places) {
            addDisjoint(covered, place.coveredThen, "came twice");
            addDisjoint(left, place.leftThen, "left twice");
            addDisjoint(leftOut, place.leftOutThen, "failed twice");
            states.add(place.snapshot);
            for (SavedElement<Integer, Integer> element : SavedState.elements(place.snapshot)) {
                if (!(element instanceof SavedElement.Mark
                        || element instanceof SavedElement.Origin)) {
                    saved.set(Ledger.numberOf(element));
                }
            }
            place.snapshot = null;
        }
        BitSet accounted = new BitSet();
        addDisjoint(accounted, left, "?");
        addDisjoint(accounted, leftOut, "left, and failed");
        addDisjoint(accounted, saved, "left, and are in the snapshot");
        assertThat(accounted).as("rows that came before the checkpoint").isEqualTo(covered);
        last = new Checkpoint(states, covered, left, leftOut);
    }

    private static void addDisjoint(BitSet all, BitSet more, String what) {
        BitSet both = (BitSet) all.clone();
        both.and(more);
        assertThat(both.isEmpty()).as("rows %s that %s", both, what).isTrue();
        all.or(more);
    }

    /** A last checkpoint, and nothing is left; what is still to happen has no effect. */
    private void end() throws Exception {
        checkpointIsUnderWay = false;
        beginCheckpoint();
        places.forEach(this::takeBarrier);
        for (Place place : places) {
            place.subtask.close();
        }
        BitSet all = new BitSet();
        all.set(1, scenario.rows + 1);
        assertThat(last.covered()).as("rows that came").isEqualTo(all);
        BitSet out = (BitSet) last.left().clone();
        out.or(last.leftOut());
        assertThat(out).as("rows that left or failed").isEqualTo(all);
        while (time.hasNext()) {
            try {
                time.next();
            } catch (Stopped afterTheEnd) {
                trace.say("after the end");
            }
        }
    }

    // ------------------------------------------------------------------ facts

    @Override
    public boolean takeFault() {
        return faults > 0 && faults-- > 0;
    }

    @Override
    public boolean isHealed() {
        return lives > LIVES_WITH_FAULTS;
    }

    @Override
    public int callsOfSharedBackend() {
        return places.stream().mapToInt(place -> place.subtask.callsInFlight()).sum();
    }
}
