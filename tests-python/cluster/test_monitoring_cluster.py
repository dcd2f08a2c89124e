"""What Prometheus gets of a running job is what the dashboard asks for."""

import json
import re
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from session_cluster import FIRST_PROMETHEUS_PORT, SessionCluster, until
from trace_collector import TraceCollector

pytestmark = pytest.mark.timeout(400)

DASHBOARD = (
    Path(__file__).resolve().parents[2] / "examples" / "monitoring" / "grafana-dashboard.json"
)
# Of operators that this job has none of.
OTHERS = (
    "flink_taskmanager_job_task_operator_sidecar_",
    "flink_taskmanager_job_task_operator_batch_",
)


def scraped() -> dict[str, set[str]]:
    """All samples of all processes of the cluster: their names, and the labels of each."""
    found: dict[str, set[str]] = {}
    for port in range(FIRST_PROMETHEUS_PORT, FIRST_PROMETHEUS_PORT + 10):
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % port, timeout=10) as answer:
                text = answer.read().decode()
        except urllib.error.URLError:
            continue
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_query_of_the_dashboard_has_its_metrics_and_labels(
    monitored_cluster: SessionCluster,
) -> None:
    job = monitored_cluster.submit("endless.py", "-pyexec", sys.executable)
    ready = "flink_taskmanager_job_task_operator_workerReady"
    until(lambda: ready in scraped(), "the operator's metrics")
    exported = scraped()

    asked = 0
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        for query in (target["expr"] for target in panel["targets"]):
            for name, labels in re.findall(r"\b(flink_\w+)\{([^}]*)\}", query):
                if name.startswith(OTHERS):
                    continue
                asked += 1
                assert name in exported, name
                assert set(re.findall(r"(\w+)=", labels)) <= exported[name], query
    assert asked > 30
    cancel(monitored_cluster, job)


def cancel(cluster: SessionCluster, job: str) -> None:
    cluster.rest("/jobs/%s?mode=cancel" % job, method="PATCH")
    until(lambda: cluster.state(job) == "CANCELED", "the job's end")


def test_spans_of_batches_reach_an_opentelemetry_collector(
    monitored_cluster: SessionCluster, trace_collector: TraceCollector
) -> None:
    """By Flink's own reporter, from a TaskManager, for a function in Python."""
    every_batch = "-Dasync-batch.trace.sampling=1"
    job = monitored_cluster.submit("endless.py", every_batch, "-pyexec", sys.executable)
    batch = until(lambda: trace_collector.spans("AsyncBatch"), "the first span")[0]
    cancel(monitored_cluster, job)

    attributes = {each.key: each.value for each in batch.attributes}
    assert attributes["rows"].int_value == 10
    assert attributes["batchId"].int_value >= 1
    assert attributes["ordering"].string_value == "unordered"
    assert attributes["outcome"].string_value == "success"
    assert attributes["callMs"].double_value > 0
    assert attributes["job_id"].string_value == job
    assert attributes["subtask_index"].string_value == "0"
    assert "async" in attributes["operator_name"].string_value.lower()

    parts = {
        name: [
            span
            for span in trace_collector.spans(name)
            if (span.trace_id, span.parent_span_id) == (batch.trace_id, batch.span_id)
        ]
        for name in ("Form", "Queue", "Call", "Emit")
    }
    assert all(len(spans) == 1 for spans in parts.values()), parts
    times = [
        (spans[0].start_time_unix_nano, spans[0].end_time_unix_nano) for spans in parts.values()
    ]
    assert times[0][0] == batch.start_time_unix_nano
    assert times[-1][1] == batch.end_time_unix_nano
    assert all(began <= ended for began, ended in times)
