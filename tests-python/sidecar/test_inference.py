"""Inferences by hosted functions of each kind, over a Unix socket."""

from pathlib import Path

import numpy as np
import pytest
from sidecar_process import as_bytes, asked_sidecar, infer_request


def test_numbers_go_in_and_come_out(directory: Path) -> None:
    with asked_sidecar(directory, "models:Double") as (_, stub):
        values = np.array([1.5, -2.0, 0.25], "<f4")
        response = stub.ModelInfer(
            infer_request("Double", ("x", "FP32", [3], values.tobytes()), id="7")
        )
        assert (response.id, response.model_name, response.model_version) == ("7", "Double", "1")
        (output,) = response.outputs
        assert (output.name, output.datatype, list(output.shape)) == ("y", "FP32", [3])
        doubled = np.frombuffer(response.raw_output_contents[0], "<f4")
        np.testing.assert_array_equal(doubled, 2 * values)


def test_images_are_columns_of_tensors(directory: Path) -> None:
    with asked_sidecar(directory, "models:Normalize") as (_, stub):
        images = np.arange(96, dtype="<f4").reshape(2, 3, 4, 4)
        response = stub.ModelInfer(
            infer_request("Normalize", ("image", "FP32", images.shape, images.tobytes()))
        )
        normal = np.frombuffer(response.raw_output_contents[0], "<f4").reshape(2, 3, 4, 4)
        np.testing.assert_allclose(normal, images - images.mean(axis=(1, 2, 3), keepdims=True))


@pytest.mark.parametrize("model", ["Describe", "Columns"])
def test_rows_of_several_tensors(directory: Path, model: str) -> None:
    with asked_sidecar(directory, f"models:{model}") as (_, stub):
        vectors = np.array([[1, 2], [3, -4]], "<i4")
        response = stub.ModelInfer(
            infer_request(
                model,
                ("flag", "BOOL", [2], b"\1\0"),
                ("vector", "INT32", [2, 2], vectors.tobytes()),
                ("name", "BYTES", [2], as_bytes(["ä".encode(), b"b"])),
            )
        )
        assert [output.name for output in response.outputs] == ["text", "sum"]
        text, sums = response.raw_output_contents
        assert text == as_bytes(["ä:True".encode(), b"b:False"])
        assert np.frombuffer(sums, "<i8").tolist() == [3, -1]
