"""The Java sidecar function against MLServer, a model server that is not ours, over gRPC.

It serves scikit-learn's handwritten digits; every output is compared with that of the same model
called in this process.
"""

import importlib.util
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Callable

import joblib
import numpy as np
import pytest
from py4j.protocol import Py4JJavaError
from pyflink.common import Row, Time, Types
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink_async_batch import (
    AsyncDataStream,
    ExponentialBackoffRetryStrategy,
    GpuSidecarAsyncBatchFunction,
    TensorField,
)
from sklearn.datasets import load_digits

ROOT = Path(__file__).resolve().parents[2]

IMAGE = Types.ROW_NAMED(["id", "pixels"], [Types.LONG(), Types.PRIMITIVE_ARRAY(Types.DOUBLE())])
READ_AS = Types.ROW_NAMED(
    ["id", "digit", "probabilities"],
    [Types.LONG(), Types.LONG(), Types.PRIMITIVE_ARRAY(Types.DOUBLE())],
)
PIXELS = load_digits().data / 16.0
# The last batch is a partial one.
BATCH_SIZE = 64
HANG_SECONDS = 300

pytestmark = pytest.mark.timeout(HANG_SECONDS)


def _load_mlserver() -> Any:
    spec = importlib.util.spec_from_file_location("mlserver", ROOT / "benchmarks" / "mlserver.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


mlserver = _load_mlserver()


# In a process of its own: where Beam has been imported, pickles need its dill to be read.
TRAINING = """
import sys, warnings
import joblib
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
digits = load_digits()
network = MLPClassifier(hidden_layer_sizes=(32,), max_iter=40, random_state=7)
joblib.dump(network.fit(digits.data / 16.0, digits.target), sys.argv[1])
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("digits")
    subprocess.run([sys.executable, "-c", TRAINING, directory / "model.joblib"], check=True)
    return directory


@pytest.fixture(scope="module")
def model(directory: Path) -> Any:
    return joblib.load(directory / "model.joblib")


@pytest.fixture(scope="module")
def server(directory: Path) -> Iterator[Any]:
    if not mlserver.PYTHON.exists():
        pytest.skip("MLServer is not installed: make target/mlserver-venv/.installed")
    server = mlserver.MLServer(directory, "digits", "mlserver_sklearn.SKLearnModel", "model.joblib")
    with server:
        yield server


@pytest.fixture
def read_digits(environment: StreamExecutionEnvironment) -> Callable[..., DataStream]:
    """Makes a job that has the server read the images, so many times over."""

    def make(server: Any, times: int = 1, batch_size: int = BATCH_SIZE, **changed: Any) -> Any:
        images = [Row(index, pixels.tolist()) for index, pixels in enumerate(PIXELS)]
        rows = [Row(i, images[i % len(images)][1]) for i in range(times * len(images))]
        options: dict[str, Any] = {
            "timeout": timedelta(seconds=HANG_SECONDS),
            "batch_size": batch_size,
            "capacity": 8,
            "output_type": READ_AS,
            **changed,
        }
        method = (
            AsyncDataStream.ordered_wait_batch_with_retry
            if "async_retry_strategy" in options
            else AsyncDataStream.ordered_wait_batch
        )
        return method(
            environment.from_collection(rows, IMAGE),
            GpuSidecarAsyncBatchFunction(
                endpoint=f"127.0.0.1:{server.grpc_port}",
                model_name="digits",
                inputs=[TensorField("pixels", shape=(64,))],
                # A scikit-learn model's one value for each row has a dimension of its own there.
                outputs=[
                    TensorField("digit", tensor="predict", shape=(1,)),
                    TensorField("probabilities", tensor="predict_proba", shape=(10,)),
                ],
                copy_record_fields=True,
                max_reconnect_delay=Time.seconds(1),
            ),
            **options,
        )

    return make


def test_every_output_is_that_of_the_model_in_process(
    server: Any, model: Any, read_digits: Callable[..., DataStream]
) -> None:
    with read_digits(server).execute_and_collect() as results:
        read = list(results)
    _assert_read_by(model, read, times=1)


def test_a_server_that_dies_and_comes_back_costs_no_result(
    server: Any, model: Any, read_digits: Callable[..., DataStream]
) -> None:
    retry = ExponentialBackoffRetryStrategy(
        1000, timedelta(milliseconds=50), max_delay=timedelta(milliseconds=500)
    )
    # In small batches, so that the server cannot have answered all of them before it dies.
    stream = read_digits(server, times=3, batch_size=2, async_retry_strategy=retry)
    read = []
    with stream.execute_and_collect() as results:
        read.append(next(results))
        server.kill()
        server.start()
        read += list(results)
    _assert_read_by(model, read, times=3)
    assert _requests_since_start(server) > 0


def test_a_server_that_is_gone_fails_a_job_without_retries(
    server: Any, read_digits: Callable[..., DataStream]
) -> None:
    stream = read_digits(server, times=3, batch_size=2)
    with stream.execute_and_collect() as results:
        next(results)
        server.kill()
        try:
            with pytest.raises(Py4JJavaError) as raised:
                list(results)
        finally:
            server.start()
    assert "SidecarException$Unavailable" in str(raised.value.java_exception.toString()) + str(
        raised.value
    )


def _assert_read_by(model: Any, read: list[Row], times: int) -> None:
    assert [row[0] for row in read] == list(range(times * len(PIXELS)))
    assert [row[1] for row in read] == model.predict(PIXELS).tolist() * times
    probabilities = np.array([row[2] for row in read])
    # The order in which a matrix product is summed depends on how many rows it has.
    expected = np.tile(model.predict_proba(PIXELS), (times, 1))
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-12)


def _requests_since_start(server: Any) -> int:
    answered = re.compile(r'grpc_server_handled_total\{[^}]*"OK"[^}]*"ModelInfer".*\} (\S+)')
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics") as metrics:
        counted = answered.search(metrics.read().decode())
    return int(float(counted[1])) if counted else 0
