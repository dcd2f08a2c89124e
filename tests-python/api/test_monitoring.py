"""The dashboard asks for metrics that are documented, and with them, exported."""

import json
import re
from pathlib import Path

import pytest
from pyflink_async_batch._watch import metric_names

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
OPERATOR = "flink_taskmanager_job_task_operator_"
# Flink's own.
OF_FLINK = {"flink_jobmanager_job_lastCheckpointSize"}


def documented(heading: str) -> dict[str, str]:
    """The metrics of a section of docs/metrics.md, which tests in Java hold to those that are
    registered; the values are kinds."""
    section = PAGE.split("\n## %s\n" % heading)[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| (\w+) \|", section, re.MULTILINE))


def prometheus_name(name: str) -> str:
    """How Flink's reporter writes a name: other characters become underscores."""
    return re.sub(r"[^a-zA-Z0-9:_]", "_", name)


def exported() -> dict[str, str]:
    """What Prometheus gets of an operator; the values are kinds."""
    names = {}
    for heading, group in (
        ("The operator", ""),
        ("Overload control", ""),
        ("The worker process", ""),
        ("The sidecar's client", "sidecar."),
        ("Batch APIs", ""),
    ):
        for name, kind in documented(heading).items():
            names[OPERATOR + prometheus_name(group + name)] = kind
    return names


def queries() -> list[str]:
    dashboard = json.loads(
        (ROOT / "examples" / "monitoring" / "grafana-dashboard.json").read_text(encoding="utf-8")
    )
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]] + [
        variable["query"]["query"]
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]


def test_every_metric_of_the_dashboard_is_exported() -> None:
    asked = {name for query in queries() for name in re.findall(r"\bflink_\w+", query)}
    assert len(asked) > 30
    assert asked - set(exported()) - OF_FLINK == set()


@pytest.mark.parametrize("query", queries())
def test_a_query_suits_the_kind_of_its_metrics(query: str) -> None:
    assert query.count("(") == query.count(")")
    kinds = exported()
    for name in re.findall(r"\bflink_\w+", query):
        kind = kinds.get(name, "gauge")
        if "label_values" not in query:
            # Counters only grow, so their growth is shown; histograms have quantiles.
            assert ("rate(" in query) == (kind == "counter") or "failed" in name, query
        assert ("quantile=" in query) == (kind == "histogram"), query


def test_what_the_live_view_looks_at_is_documented() -> None:
    names = {
        name
        for heading in ("The operator", "Overload control", "The worker process")
        for name in documented(heading)
    }
    looked_at = {*metric_names.OF_BATCHES, metric_names.BREAKER}
    plain = {re.sub(r"_(min|median|p75|p90|p95|p99|max)$", "", name) for name in looked_at}
    assert plain - names == {"numRecordsOutPerSecond"}
    of_jobs = {re.sub(r"_(median|max)$", "", name) for name in metric_names.OF_JOBS}
    assert of_jobs - set(documented("Batch APIs")) == {"numRecordsOutPerSecond"}
    assert [name for name in names if name.startswith(metric_names.FAILED_ROWS)]
