"""Triton's own client as a client of the server; what it asks is in ``triton_checks.py``."""

import subprocess
from pathlib import Path

import pytest
from sidecar_process import HERE, asked_sidecar

PYTHON = Path(__file__).resolve().parents[2] / "target" / "triton-venv" / "bin" / "python"

DATATYPES = (
    *("BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"),
    *("FP16", "BF16", "FP32", "FP64", "BYTES"),
)
RANKS = ((1, ""), (3, ",2,2"))


def run(directory: Path, check: str, model: str, *arguments: str) -> None:
    assert PYTHON.exists(), "tritonclient is not installed: make target/triton-venv/.installed"
    with asked_sidecar(directory, f"models:{model}", *arguments) as (server, _):
        subprocess.run(
            [PYTHON, HERE / "triton_checks.py", check, server.endpoint]
            + ([model] if check == "every_type" else []),
            check=True,
            timeout=60,
        )


@pytest.mark.parametrize(
    ("check", "model"),
    [
        ("health_and_metadata", "Columns"),
        ("several_tensors", "Columns"),
        ("errors", "Double"),
        ("many_at_a_time", "Double"),
        ("memory", "Double"),
    ],
)
def test_tritons_client_is_served(directory: Path, check: str, model: str) -> None:
    run(directory, check, model)


@pytest.mark.parametrize("model", ["RowIdentity", "ColumnIdentity"])
def test_tensors_of_every_type_come_back(directory: Path, model: str) -> None:
    tensors = [f"{kind}-{rank}={kind}:-1{dims}" for kind in DATATYPES for rank, dims in RANKS]
    run(directory, "every_type", model, "--inputs", *tensors, "--outputs", *tensors)
