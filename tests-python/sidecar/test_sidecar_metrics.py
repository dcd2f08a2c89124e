"""What Prometheus reads."""

import re
import urllib.request
from pathlib import Path
from typing import Dict

import grpc
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sidecar_process import SidecarProcess, asked_sidecar, infer_request

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "own-sidecar.md"


def metrics_of(server: SidecarProcess) -> Dict[str, float]:
    url = server.log_line("Metrics at").rpartition(" ")[2]
    assert url.startswith("http://127.0.0.1:")
    with urllib.request.urlopen(url) as page:
        families = text_string_to_metric_families(page.read().decode())
        return {
            sample.name + "".join(f"[{value}]" for value in sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
        }


def test_metrics_of_the_server_and_of_the_function(directory: Path) -> None:
    arguments = ("--metrics-port", "0", "--parameter", "factor=3")
    with asked_sidecar(directory, "models:Counts", *arguments) as (server, stub):
        values = np.array([1, 2], "<i8")
        request = infer_request("Counts", ("x", "INT64", [2], values.tobytes()))
        (tripled,) = stub.ModelInfer(request).raw_output_contents
        assert np.frombuffer(tripled, "<i8").tolist() == [3, 6]
        request.inputs[0].name = "other"
        with pytest.raises(grpc.RpcError):
            stub.ModelInfer(request)
        metrics = metrics_of(server)
        expected = {
            "asyncbatch_sidecar_request_seconds_count[OK]": 1,
            "asyncbatch_sidecar_request_seconds_count[INVALID_TENSOR]": 1,
            "asyncbatch_sidecar_queue_seconds_count": 1,
            "asyncbatch_sidecar_batch_rows_sum": 2,
            "asyncbatch_sidecar_batch_seconds_count": 1,
            "asyncbatch_sidecar_queued_rows": 0,
            "asyncbatch_sidecar_queued_bytes": 0,
            "asyncbatch_sidecar_in_flight_rows": 0,
            "asyncbatch_sidecar_in_flight_batches": 0,
            "asyncbatch_sidecar_shared_memory_regions": 0,
            "asyncbatch_sidecar_model_ready": 1,
            "asyncbatch_function_my_group_rows": 2,
            "asyncbatch_function_my_group_events_total": 2,
            "asyncbatch_function_my_group_sizes_count_total": 1,
            "asyncbatch_function_my_group_sizes_sum": 2,
            "asyncbatch_function_my_group_answer": 42,
        }
        assert {name: metrics.get(name) for name in expected} == expected
        assert not any("broken" in name for name in metrics)
        assert server.end() == 0


def test_the_documented_names_are_those_that_exist(directory: Path) -> None:
    documented = set(re.findall(r"`(asyncbatch_sidecar_\w+)`", DOCUMENT.read_text("utf-8")))
    with asked_sidecar(directory, "models:Counts", "--metrics-port", "0") as (server, _):
        suffixes = r"(_bucket|_count|_sum|_created)?(\[.*\])*$"
        exist = {
            re.sub(suffixes, "", name)
            for name in metrics_of(server)
            if name.startswith("asyncbatch_sidecar_")
        }
        # A labelled one appears with its first value.
        assert documented == exist | {"asyncbatch_sidecar_request_seconds"}
