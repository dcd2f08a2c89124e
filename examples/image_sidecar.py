"""Classifies handwritten digits through a model server next door, without a Python worker.

``python -m pyflink_async_batch.sidecar`` hosts a model (``digit_reader.py``) on a private Unix
socket. The job's operator sends it batches of images from Java, and would send them in the same way
to Triton, MLServer or whatever else speaks the Open Inference Protocol. However many subtasks and
jobs the machine runs, the model is there once.

Run it with ``make sidecar-demo``, which runs ``examples/java`` too: the same in Java.
"""

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Iterator, List, Tuple

import numpy as np
from pyflink.common import Row, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncDataStream, GpuSidecarAsyncBatchFunction, TensorField

_HERE = pathlib.Path(__file__).resolve().parent
_PREPARED = _HERE.parent / "target" / "digits"
_STOP_SECONDS = 30.0

_IMAGE = Types.ROW_NAMED(
    ["id", "label", "pixels"], [Types.LONG(), Types.LONG(), Types.PRIMITIVE_ARRAY(Types.BYTE())]
)
_READ_AS = Types.ROW_NAMED(["id", "label", "digit"], [Types.LONG(), Types.LONG(), Types.LONG()])


@contextlib.contextmanager
def sidecar(model: pathlib.Path) -> Iterator[str]:
    """Serves the digits model, and gives the endpoint at which it will be."""
    with tempfile.TemporaryDirectory(prefix="digits-") as directory:
        endpoint = f"unix://{directory}/model.sock"
        server = subprocess.Popen(
            [
                *(sys.executable, "-m", "pyflink_async_batch.sidecar"),
                *("--model", "digit_reader:ReadDigits", "--model-name", "digits"),
                *("--model-arg", f"model={json.dumps(str(model))}"),
                *("--endpoint", endpoint),
            ],
            env={**os.environ, "PYTHONPATH": str(_HERE)},
        )
        try:
            yield endpoint
        finally:
            server.terminate()
            server.wait(_STOP_SECONDS)


def read_digits(endpoint: str, rows: List[Row], batch_size: int) -> List[Tuple[int, int, int]]:
    """Runs the job. Returns (id, label, digit) of each image, in any order."""
    environment = StreamExecutionEnvironment.get_execution_environment()
    digits = AsyncDataStream.unordered_wait_batch(
        environment.from_collection(rows, _IMAGE),
        GpuSidecarAsyncBatchFunction(
            endpoint=endpoint,
            model_name="digits",
            inputs=[TensorField("pixels", data_type="UINT8", shape=(8, 8))],
            outputs=["digit"],
            copy_record_fields=True,
        ),
        timeout=Time.seconds(30),
        batch_size=batch_size,
        batch_timeout=Time.milliseconds(100),
        output_type=_READ_AS,
    )
    with digits.execute_and_collect("image sidecar") as results:
        return [(row[0], row[1], row[2]) for row in results]


def run(batch_size: int) -> float:
    """Starts the server, runs the job, and returns the share of unseen images it read right."""
    if not (_PREPARED / "model.onnx").exists():
        import train_digits

        train_digits.train(_PREPARED)
    images = np.load(_PREPARED / "images.npz")
    rows = [
        Row(i, int(label), image.tobytes())
        for i, (image, label) in enumerate(zip(images["pixels"], images["labels"]))
    ]
    with sidecar(_PREPARED / "model.onnx") as endpoint:
        results = np.array(read_digits(endpoint, rows, batch_size))
    if sorted(results[:, 0]) != list(range(len(rows))):
        raise RuntimeError(f"{len(rows)} images in, {len(results)} results out")
    held_out = json.loads((_PREPARED / "held_out.json").read_text())
    unseen = results[np.isin(results[:, 0], held_out)]
    return float((unseen[:, 1] == unseen[:, 2]).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=64)
    accuracy = run(parser.parse_args().batch_size)
    print(f"{accuracy:.2%} of unseen images are read right")


if __name__ == "__main__":
    main()
