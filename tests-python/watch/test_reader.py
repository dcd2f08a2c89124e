"""What is read of a cluster's REST interface."""

import pytest
from flink_rest_stub import JOB, OPERATOR, RECORDED, SOURCE, VERTEX, FlinkRestStub
from pyflink_async_batch._watch.cluster_reader import ClusterReader
from pyflink_async_batch._watch.flink_rest import FlinkRest, NotFoundError, RestError
from pyflink_async_batch._watch.observation import Job, Operator, Progress
from pyflink_async_batch._watch.operator_cells import failed_rows
from pyflink_async_batch.errors import InvalidOptionError

PATH = "/jobs/%s/vertices/%s" % (JOB, VERTEX)


def read(stub: FlinkRestStub) -> Job:
    (job,) = ClusterReader(FlinkRest(stub.url), lambda: 7.0).cluster().jobs
    return job


def operator(stub: FlinkRestStub) -> Operator:
    (found,) = read(stub).operators
    return found


def test_a_job_is_read(stub: FlinkRestStub) -> None:
    job = read(stub)
    assert (job.id, job.state, job.at) == (JOB, "RUNNING", 7.0)
    assert job.name == RECORDED["/jobs/overview"]["jobs"][0]["name"]
    assert (job.finished_tasks, job.tasks, job.restarts) == (0, 4, 0)
    assert (job.checkpoints.completed, job.checkpoints.failed) == (1, 9)
    assert (job.checkpoints.state_bytes, job.checkpoints.duration_ms) == (4436, 7139)
    assert not job.warming


def test_an_operator_is_told_from_those_that_are_chained_to_it(stub: FlinkRestStub) -> None:
    found = operator(stub)
    assert (found.name, found.vertex, found.parallelism) == (OPERATOR, VERTEX, 2)
    assert not found.batch_api
    assert found.state_bytes == 3906
    records = found.metrics["totalRecordsProcessed"]
    assert (records.total, records.least, records.most) == (41984, 20928, 21056)
    assert found.metrics["asyncCallDurationMs_p99"].most == 97
    assert found.breakers == []


def test_no_request_is_longer_than_flink_takes(stub: FlinkRestStub) -> None:
    # As long as Flink lets a name be, of characters that are written as nine.
    for metric in stub.answers[PATH + "/subtasks/metrics"]:
        metric["id"] = metric["id"].replace(OPERATOR, "日" * 80)
    values = operator(stub).metrics
    assert {"totalBatchesProcessed", "workerReady", "rowsFailedByWorker"} <= set(values)
    asked = [path for path in stub.paths if "get=" in path and VERTEX in path]
    assert len(asked) > 5


def test_two_operators_of_a_vertex_are_two(stub: FlinkRestStub) -> None:
    path = PATH + "/subtasks/metrics"
    stub.answers[path] += [
        {**metric, "id": "another" + metric["id"][len(OPERATOR) :], "sum": 5.0}
        for metric in RECORDED[path]
        if metric["id"].startswith(OPERATOR + ".")
    ]
    first, second = read(stub).operators
    assert [first.name, second.name] == ["another", OPERATOR]
    assert first.metrics["totalRecordsProcessed"].total == 5
    assert second.metrics["totalRecordsProcessed"].total == 41984


def test_an_operator_of_a_batch_api_is_found(stub: FlinkRestStub) -> None:
    values = {"min": 1.0, "max": 3.0, "avg": 2.0, "sum": 4.0, "skew": 0.0}
    stub.answers[PATH + "/subtasks/metrics"] = [
        {"id": "half_price." + name, **values}
        for name in ("batch.jobs.submitted", "batch.jobs.inflight", "numRecordsOut")
    ]
    found = operator(stub)
    assert found.batch_api
    assert found.name == "half_price"
    assert set(found.metrics) == {"batch.jobs.submitted", "batch.jobs.inflight"}


@pytest.mark.parametrize("value", ["NaN", None, "Infinity", {}])
def test_a_value_that_is_no_number_is_none(stub: FlinkRestStub, value: object) -> None:
    for metric in stub.answers[PATH + "/subtasks/metrics"]:
        if metric["id"].endswith(".asyncCallDurationMs_p99"):
            metric["sum"] = value
    assert "asyncCallDurationMs_p99" not in operator(stub).metrics
    assert "asyncCallDurationMs_max" in operator(stub).metrics


def test_breakers_are_read_subtask_by_subtask(stub: FlinkRestStub) -> None:
    stub.metric("circuitBreakerState", 0)
    stub.answers[PATH + "/metrics"] = [
        {"id": "%d.%s.circuitBreakerState" % (subtask, OPERATOR), "value": state}
        for subtask, state in enumerate(["CLOSED", "OPEN", "of a third subtask"])
    ]
    assert operator(stub).breakers == ["CLOSED", "OPEN"]


def test_rows_that_failed_for_a_reason_that_is_new_are_read(stub: FlinkRestStub) -> None:
    stub.metric("rowsFailedByMoonlight", 6)
    stub.metric("rowsFailedByTimeout", 2)
    assert failed_rows(operator(stub)) == 8


def test_progress_is_known_once_the_sources_have_ended(stub: FlinkRestStub) -> None:
    assert operator(stub).progress is None
    source = stub.vertex(SOURCE)
    source["status"] = "FINISHED"
    source["metrics"].update({"write-records": 200001, "write-records-complete": True})
    assert operator(stub).progress == Progress(41984, 200001)

    source["metrics"]["write-records-complete"] = False
    assert operator(stub).progress is None


def test_progress_is_not_known_if_a_source_feeds_others_too(stub: FlinkRestStub) -> None:
    source = stub.vertex(SOURCE)
    source["status"] = "FINISHED"
    source["metrics"].update({"write-records": 200001, "write-records-complete": True})
    stub.job["plan"]["nodes"].append({"id": "other", "inputs": [{"id": SOURCE}]})
    assert operator(stub).progress is None


def test_a_job_whose_metrics_are_not_there_yet_says_so(stub: FlinkRestStub) -> None:
    stub.empty_lists = 2
    job = read(stub)
    assert job.warming
    assert job.operators == []
    assert not read(stub).warming


@pytest.mark.parametrize("path", ["/checkpoints", "/checkpoints/details/1", "/metrics"])
def test_what_may_be_missing_may_be_missing(stub: FlinkRestStub, path: str) -> None:
    del stub.answers["/jobs/" + JOB + path]
    assert read(stub).operators[0].name == OPERATOR


def test_jobs_that_have_ended_or_end_just_now_are_left_out(stub: FlinkRestStub) -> None:
    stub.answers["/jobs/overview"]["jobs"] += [
        {"jid": "0" * 32, "name": "gone", "state": "RUNNING"},
        {"jid": "1" * 32, "name": "ended", "state": "FAILED"},
    ]
    assert read(stub).id == JOB
    assert not [path for path in stub.paths if "1" * 32 in path]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"<html>a proxy's page</html>", "no JSON"),
        ([], "not one of Flink's"),
        (503, "answered 503 to /config"),
        (b'"' + b"x" * (64 * 1024 * 1024) + b'"', "more than 64 MiB"),
    ],
    ids=["html", "list", "503", "huge"],
)
def test_what_does_not_answer_as_flink_is_named(
    stub: FlinkRestStub, answer: object, problem: str
) -> None:
    stub.answers["/config"] = answer
    with pytest.raises(RestError, match=problem):
        ClusterReader(FlinkRest(stub.url)).cluster()


def test_a_server_that_is_not_there_is_named(stub: FlinkRestStub) -> None:
    stub.close()
    with pytest.raises(RestError, match=r"did not answer /config: .*refused"):
        ClusterReader(FlinkRest(stub.url)).cluster()


def test_a_job_that_is_not_there_is_not_found(stub: FlinkRestStub) -> None:
    with pytest.raises(NotFoundError):
        ClusterReader(FlinkRest(stub.url)).job("0" * 32)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8081",
        "file:///etc/passwd",
        "ftp://host:8081",
        "http://",
        "http://host:99999",
        "http://host:8081?x=1",
        "http://host:8081#x",
        "http://user:hunter2@host:8081",
        "http://user:hunter2@host:8081/?x",
        "http://user:hunter2@host:99999",
        "ftp://user:hunter2@host",
        "user:hunter2@host:8081",
        "http://host:8081/?token=hunter2",
    ],
)
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(InvalidOptionError, match="--rest must be an address") as refused:
        FlinkRest(url)
    assert "hunter2" not in str(refused.value)


def test_a_path_before_flinks_own_is_kept(stub: FlinkRestStub) -> None:
    stub.answers["/proxy/flink/config"] = {"flink-version": "2.3.0"}
    reader = ClusterReader(FlinkRest(stub.url + "/proxy/flink/"))
    assert reader.flink_version() == "2.3.0"
