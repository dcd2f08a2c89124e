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
    monitored_cluster.rest("/jobs/%s?mode=cancel" % job, method="PATCH")
    until(lambda: monitored_cluster.state(job) == "CANCELED", "the job's end")
