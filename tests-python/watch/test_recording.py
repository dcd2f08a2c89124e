"""A job over a while, on a clock of the test's own."""

import io
from typing import Callable

import pytest
from flink_rest_stub import JOB, VERTEX, FlinkRestStub
from pyflink_async_batch._watch.cluster_reader import ClusterReader
from pyflink_async_batch._watch.flink_rest import FlinkRest, NotFoundError
from pyflink_async_batch._watch.html_report import page
from pyflink_async_batch._watch.observation import Cluster
from pyflink_async_batch._watch.operator_cells import cells
from pyflink_async_batch._watch.recording import Recording, record
from pyflink_async_batch._watch.terminal_view import frame
from report_page import parse, plots
from rich.console import Console


class Clock:
    """Goes on only when the recorder waits; then something may happen."""

    def __init__(self, happens: Callable[[int], None] = lambda turn: None) -> None:
        self.now = 100.0
        self.turns = 0
        self._happens = happens

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.turns += 1
        self._happens(self.turns)


def run(stub: FlinkRestStub, clock: Clock, seconds: float = 10) -> Recording:
    reader = ClusterReader(FlinkRest(stub.url), clock)
    return record(reader, JOB, seconds, 2.0, clock.wait, clock)


def test_it_looks_as_often_as_it_is_told_to(stub: FlinkRestStub) -> None:
    recording = run(stub, Clock())
    assert [sample.job.at for sample in recording.samples] == [100, 102, 104, 106, 108, 110]
    assert recording.ended_by == "The time that was asked for was over."


def test_rates_are_those_of_the_counters(stub: FlinkRestStub) -> None:
    def happens(turn: int) -> None:
        stub.metric("totalRecordsProcessed", 41_984 + 3_000 * turn)
        stub.metric("inputHeldTimeMs", 17_314 + 1_000 * turn)

    recording = run(stub, Clock(happens))
    rates = [rate for sample in recording.samples for rate in sample.rows_per_second.values()]
    # At first Flink's own mean of the last minute.
    assert rates[:2] == [pytest.approx(357.33, abs=0.01)] * 2
    assert rates[2:] == [1500, 1500, 1500, 1500]
    job = recording.samples[-1].job
    shown = dict(cells(job, job.operators[0], recording.growth))
    assert shown["rows/s"] == "1,500"
    # Half of each second, over two subtasks.
    assert shown["input held"] == "25%"


def test_it_ends_with_the_job(stub: FlinkRestStub) -> None:
    def happens(turn: int) -> None:
        if turn == 2:
            stub.job["state"] = "FINISHED"

    recording = run(stub, Clock(happens))
    assert len(recording.samples) == 3
    assert recording.ended_by == "The job ended: FINISHED."


def test_it_ends_with_the_cluster(stub: FlinkRestStub) -> None:
    def happens(turn: int) -> None:
        if turn == 2:
            stub.close()

    clock = Clock(happens)
    recording = run(stub, clock, seconds=1000)
    assert len(recording.samples) == 2
    assert recording.ended_by == "The cluster no longer answered."
    assert clock.turns == 4


def test_an_answer_that_is_missing_does_not_end_it(stub: FlinkRestStub) -> None:
    job = stub.job

    def happens(turn: int) -> None:
        stub.answers["/jobs/" + JOB] = 503 if turn in (1, 2) else job

    recording = run(stub, Clock(happens))
    assert [sample.job.at for sample in recording.samples] == [100, 106, 108, 110]


def test_it_ends_early_with_what_there_is(stub: FlinkRestStub) -> None:
    def happens(turn: int) -> None:
        raise KeyboardInterrupt

    recording = run(stub, Clock(happens))
    assert len(recording.samples) == 1
    assert recording.ended_by == "It was interrupted."


def test_a_job_that_never_was_is_not_found(stub: FlinkRestStub) -> None:
    del stub.answers["/jobs/" + JOB]
    with pytest.raises(NotFoundError):
        run(stub, Clock())


def test_an_operator_that_went_away_has_a_gap(stub: FlinkRestStub) -> None:
    """As it does while the job restarts."""
    paths = [path for path in stub.answers if path.endswith("/subtasks/metrics")]
    metrics = {path: stub.answers[path] for path in paths}

    def happens(turn: int) -> None:
        for path in paths:
            stub.answers[path] = [] if turn == 3 else metrics[path]

    root = parse(page(run(stub, Clock(happens), seconds=12)))
    # Seven samples, the fourth of which lacks the operator.
    assert plots(root)["Waiting for a place"] == [3, 3]
    assert plots(root)["Checkpointed state"] == [7]


def test_an_operator_of_a_batch_api_has_columns_and_plots_of_its_own(stub: FlinkRestStub) -> None:
    path = "/jobs/%s/vertices/%s/subtasks/metrics" % (JOB, VERTEX)
    totals = {
        "batch.jobs.submitted": 7,
        "batch.jobs.completed": 4,
        "batch.jobs.failed": 1,
        "batch.jobs.inflight": 2,
        "batch.retries": 3,
        "batch.rows.resubmitted": 20,
        "batch.rows.failed": 6,
        "batch.records_per_job_median": 200,
        "batch.records_per_job_max": 220,
        "batch.job.latency_ms_median": 120_000,
        "batch.job.latency_ms_max": 180_000,
        "numRecordsOutPerSecond": 12,
    }
    stub.answers[path] = [
        {"id": "half_price." + name, "sum": total, "min": 0, "max": total / 2, "avg": total / 2}
        for name, total in totals.items()
    ]
    recording = run(stub, Clock())
    job = recording.samples[-1].job
    assert dict(cells(job, job.operators[0], recording.growth)) == {
        "operator": "half_price x2",
        "rows/s": "12.0",
        "jobs in flight": "2",
        "submitted/done/failed": "7/4/1",
        "rows a job p50/max": "100/110",
        "job p50/max": "1m 00s/1m 30s",
        "retries": "3",
        "rows again/failed": "20/6",
        "input held": "-",
        "state": "3.8 KiB",
    }
    drawn = plots(parse(page(recording)))
    assert {"Jobs in flight", "Jobs so far", "A job took", "Throughput"} <= set(drawn)
    assert "Batch size" not in drawn
    table = Console(width=200, file=io.StringIO())
    table.print(frame(Cluster("2.3.0", [job]), recording.growth, "http://x", 200))
    listed = Console(width=80, file=io.StringIO())
    listed.print(frame(Cluster("2.3.0", [job]), recording.growth, "http://x", 80))
    for console in (table, listed):
        assert "7/4/1" in console.file.getvalue()
        assert "submitted/done/failed" in console.file.getvalue()


def test_every_value_of_a_page_is_escaped(stub: FlinkRestStub) -> None:
    """Whatever a cluster, or who answers in its place, puts wherever there may be text."""
    hostile = "</style></title><script>alert(1)</script>\"'&\x1b\u202e"
    stub.answers["/config"]["flink-version"] = hostile
    stub.job.update({"name": hostile, "state": hostile})
    stub.rename(hostile)
    text = page(run(stub, Clock()))
    root = parse(text)
    assert root.findtext("body/h2") == hostile.replace("\x1b", "\ufffd").replace("\u202e", "\ufffd")
    assert "<script" not in text
