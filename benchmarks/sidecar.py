"""Requests to a model server next door: ours, those of Triton's own client, and Flink's own.

All send FP32 tensors to one model, which answers with a number a row, and keep 64 requests in
flight. A small row has 64 numbers (256 bytes), a large one 250,000 (1 MB). Ours are whole Flink
jobs at parallelism 1, from a source that hands out one and the same array to a sink in Java.

Two servers are asked, on this machine, each by all who can speak to it:

* ``benchmarks/server``, whose model looks at nothing: the clients are the limit. gRPC on a Unix
  socket and on loopback, and REST.
* MLServer, as pip installs it, with a model of its kind in Python. It needs more than a
  millisecond for a request, so one by one all are held back by it, and only batches help.

Contenders, by the server's name if it is MLServer:

* ``unix``, ``tcp``: ``GpuSidecarAsyncFunction`` in Flink's ``AsyncDataStream``, a record a request.
* ``batches``: ``GpuSidecarAsyncBatchFunction``, 64 rows a request, 16 requests in flight; **rows**
  per second, which is another thing than requests.
* ``shared``, of large rows: over the Unix socket, with tensors in shared memory.
* ``tritonclient``: Triton's client for Python, alone, without Flink, in each of its three ways to
  have requests in flight, over loopback, where it is no slower than over a Unix socket; for large
  rows with its shared memory too, over the socket. The fastest counts.
* ``flink-triton``: the function of Flink's own ``flink-model-triton``, which speaks JSON over HTTP,
  a record a request, in Flink's ``AsyncDataStream``. See ``peers/flink-triton``.
"""

import contextlib
import functools
import pathlib
import subprocess
import tempfile
from typing import Any, Callable, Dict, Iterator, NamedTuple, Sequence

from contest import Contender, Medians, NotAvailableError, Result, measured_by, run_benchmark
from local_job import WARM_UP_SECONDS, WINDOW_SECONDS, LocalJob, discarding_sink
from mlserver import PYTHON as MLSERVER_PYTHON
from mlserver import MLServer
from pyflink.common import Time, Types
from pyflink.datastream import DataStream
from pyflink.java_gateway import get_gateway

_SMALL = 64
_LARGE = 250_000
_BYTES_OF_FLOAT = 4
_MEGA = 1e6
_IN_FLIGHT = 64
_BATCH = 64
_BATCHES_IN_FLIGHT = 16
_TIMEOUT_SECONDS = 60

_HERE = pathlib.Path(__file__).resolve().parent
_SERVER_JAR = _HERE / "server/target/benchmark-server.jar"
_FLINK_TRITON_JAR = _HERE / "peers/flink-triton/target/benchmark-flink-triton.jar"
_TRITON_PYTHON = _HERE.parent / "target/triton-venv/bin/python"
_TRITON_STYLES = ("aio", "threads", "callbacks")

# What is far from the fastest of its kind, or held back by its server, need not be had so exactly.
_ONCE = (
    "tritonclient threads",
    "tritonclient callbacks",
    "large tritonclient threads",
    "large tritonclient callbacks",
    "large flink-triton",
    "mlserver tcp",
    "mlserver batches",
    "mlserver flink-triton",
    "mlserver tritonclient",
)

_MODEL = "number"
_INPUT = "x"
_OUTPUT = "number"
_NUMBERS = Types.PRIMITIVE_ARRAY(Types.FLOAT())
_NUMBER_MODEL = """
import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse


class Number(MLModel):
    async def predict(self, payload):
        rows = payload.inputs[0].shape[0]
        number = NumpyCodec.encode_output("number", np.full((rows, 1), 0.5, np.float32))
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=[number])
"""


class Endpoints(NamedTuple):
    """Where a server is reached. gRPC targets, and a URL."""

    unix: str
    tcp: str
    rest: str
    version: str


@contextlib.contextmanager
def fast_server() -> Iterator[Endpoints]:
    """The server whose model looks at nothing."""
    if not _SERVER_JAR.exists():
        raise FileNotFoundError(f"{_SERVER_JAR}: built by make bench")
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        socket = f"{directory}/s"
        server = subprocess.Popen(
            ["java", "-jar", str(_SERVER_JAR), socket],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            grpc_port, rest_port = server.stdout.readline().split()
            yield Endpoints(
                f"unix://{socket}", f"127.0.0.1:{grpc_port}", f"http://127.0.0.1:{rest_port}", "1"
            )
        finally:
            server.stdin.close()
            server.wait()


@contextlib.contextmanager
def mlserver() -> Iterator[Endpoints]:
    if not MLSERVER_PYTHON.exists():
        raise NotAvailableError("MLServer is not installed, see make bench-peers")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = pathlib.Path(name)
        (directory / "number_model.py").write_text(_NUMBER_MODEL, encoding="utf-8")
        with MLServer(directory, _MODEL, "number_model.Number") as server:
            tcp = f"127.0.0.1:{server.grpc_port}"
            yield Endpoints("", tcp, f"http://127.0.0.1:{server.http_port}", "v1")


Server = Callable[[], "contextlib.AbstractContextManager[Endpoints]"]


def ours(server: Server, transport: str, length: int) -> float:
    """Requests per second of the function for single records."""

    def apply(rows: DataStream, endpoints: Endpoints) -> DataStream:
        jvm = get_gateway().jvm
        sidecar = jvm.io.asyncbatch.flink.sidecar
        options = sidecar.SidecarOptions.builder(_endpoint(endpoints, transport), _MODEL)
        options.maxInFlight(_IN_FLIGHT)
        if transport == "unix":
            options.maxSharedMemoryBytes(0)
        codec = sidecar.TensorCodecs.forTypes(
            _NUMBERS.get_java_type_info(),
            Types.FLOAT().get_java_type_info(),
            sidecar.TensorCodecOptions.builder()
            .input(sidecar.TensorField.of(_INPUT).shape(_long_array(length)))
            .output(sidecar.TensorField.of(_OUTPUT).shape(_long_array(1)))
            .build(),
        )
        return _one_by_one(rows, sidecar.GpuSidecarAsyncFunction(options.build(), codec))

    return _rate(server, length, apply)


def ours_in_batches(server: Server, transport: str, length: int) -> float:
    """Rows per second of the function for batches."""
    from pyflink_async_batch import AsyncDataStream, GpuSidecarAsyncBatchFunction, TensorField

    def apply(rows: DataStream, endpoints: Endpoints) -> DataStream:
        return AsyncDataStream.unordered_wait_batch(
            rows,
            GpuSidecarAsyncBatchFunction(
                endpoint=_endpoint(endpoints, transport),
                model_name=_MODEL,
                inputs=[TensorField(_INPUT, shape=(length,))],
                outputs=[TensorField(_OUTPUT, shape=(1,))],
            ),
            timeout=Time.seconds(_TIMEOUT_SECONDS),
            batch_size=_BATCH,
            capacity=_BATCHES_IN_FLIGHT,
            output_type=Types.FLOAT(),
        )

    return _rate(server, length, apply)


def flink_triton(server: Server, length: int) -> float:
    if not _FLINK_TRITON_JAR.exists():
        raise NotAvailableError("flink-model-triton is not there, see make bench-peers")

    def apply(rows: DataStream, endpoints: Endpoints) -> DataStream:
        peer = get_gateway().jvm.io.asyncbatch.flink.benchmark.peer
        return _one_by_one(
            rows, peer.FlinkTriton(endpoints.rest, _MODEL, endpoints.version, _INPUT, _OUTPUT)
        )

    return _rate(server, length, apply)


def tritonclient(server: Server, style: str, length: int) -> float:
    if not _TRITON_PYTHON.exists():
        raise NotAvailableError("tritonclient is not installed, see make bench-peers")
    with server() as endpoints:
        # Its shared memory has to be on the server's machine, whatever the transport is.
        target = endpoints.unix if style == "shared" else endpoints.tcp
        arguments = [style, target, _MODEL, length, _IN_FLIGHT, WARM_UP_SECONDS, WINDOW_SECONDS]
        script = str(_HERE / "peers" / "triton_requests.py")
        return float(measured_by([script, *map(str, arguments)], str(_TRITON_PYTHON)))


def _rate(
    server: Server, length: int, apply: Callable[[DataStream, Endpoints], DataStream]
) -> float:
    from pyflink_async_batch._graph.bundled_jar import add_bundled_jar
    from pyflink_async_batch._graph.execution_environment import environment_configuration

    with server() as endpoints:
        job = LocalJob({"pipeline.object-reuse": "true"})
        parts = job.stream_parts()
        j_environment = job.environment._j_stream_execution_environment
        add_bundled_jar(environment_configuration(j_environment))
        if _FLINK_TRITON_JAR.exists():
            job.environment.add_jars(_FLINK_TRITON_JAR.as_uri())
        limiter = get_gateway().jvm.org.apache.flink.api.connector.source.util.ratelimit
        rows = job.generated(parts.SameFloats(length), limiter.RateLimiterStrategy.noOp(), _NUMBERS)
        apply(rows, endpoints).sink_to(discarding_sink())
        return job.start("sidecar").rate()


def _one_by_one(rows: DataStream, j_function: Any) -> DataStream:
    jvm = get_gateway().jvm
    results = jvm.org.apache.flink.streaming.api.datastream.AsyncDataStream.unorderedWait(
        rows._j_data_stream,
        j_function,
        _TIMEOUT_SECONDS,
        jvm.java.util.concurrent.TimeUnit.SECONDS,
        _IN_FLIGHT,
    )
    return DataStream(results.returns(Types.FLOAT().get_java_type_info()))


def _endpoint(endpoints: Endpoints, transport: str) -> str:
    return endpoints.tcp if transport == "tcp" else endpoints.unix


def _long_array(*dimensions: int) -> Any:
    gateway = get_gateway()
    array = gateway.new_array(gateway.jvm.long, len(dimensions))
    for index, dimension in enumerate(dimensions):
        array[index] = dimension
    return array


def contenders() -> Dict[str, Contender]:
    bound = functools.partial
    found: Dict[str, Contender] = {
        "unix": bound(ours, fast_server, "unix", _SMALL),
        "tcp": bound(ours, fast_server, "tcp", _SMALL),
        "batches": bound(ours_in_batches, fast_server, "shared", _SMALL),
        "flink-triton": bound(flink_triton, fast_server, _SMALL),
        "large unix": bound(ours, fast_server, "unix", _LARGE),
        "large shared": bound(ours, fast_server, "shared", _LARGE),
        "large tcp": bound(ours, fast_server, "tcp", _LARGE),
        "large flink-triton": bound(flink_triton, fast_server, _LARGE),
        "mlserver tcp": bound(ours, mlserver, "tcp", _SMALL),
        "mlserver batches": bound(ours_in_batches, mlserver, "tcp", _SMALL),
        "mlserver flink-triton": bound(flink_triton, mlserver, _SMALL),
        "mlserver tritonclient": bound(tritonclient, mlserver, "aio", _SMALL),
    }
    for style in _TRITON_STYLES:
        found[f"tritonclient {style}"] = bound(tritonclient, fast_server, style, _SMALL)
    for style in (*_TRITON_STYLES, "shared"):
        found[f"large tritonclient {style}"] = bound(tritonclient, fast_server, style, _LARGE)
    return {
        name: bound(_megabytes, contender) if name.startswith("large") else contender
        for name, contender in found.items()
    }


def _megabytes(requests_per_second: Callable[[], float]) -> float:
    return requests_per_second() * _LARGE * _BYTES_OF_FLOAT / _MEGA


def judge(rate: Medians) -> Sequence[Result]:
    requests, rows, megabytes = "requests/s", "rows/s in batches", "MB/s of 1 MB tensors"
    contests = [
        ("sidecar_vs_tritonclient", ["unix", "tcp"], "tritonclient", requests, 2.0),
        ("sidecar_vs_flink_triton", ["unix", "tcp"], "flink-triton", requests, 2.0),
        ("sidecar_batches_vs_tritonclient", ["batches"], "tritonclient", rows, 2.0),
        ("sidecar_batches_vs_flink_triton", ["batches"], "flink-triton", rows, 2.0),
        (
            "sidecar_large_vs_tritonclient",
            ["large shared", "large unix", "large tcp"],
            "large tritonclient",
            megabytes,
            2.0,
        ),
        (
            "sidecar_large_vs_flink_triton",
            ["large shared", "large unix", "large tcp"],
            "large flink-triton",
            megabytes,
            2.0,
        ),
        (
            "sidecar_mlserver_batches_vs_flink_triton",
            ["mlserver batches", "mlserver tcp", "mlserver tritonclient"],
            "mlserver flink-triton",
            rows,
            2.0,
        ),
    ]
    results = []
    for name, candidates, peer, unit, target in contests:
        peers = {key: rate[key] for key in rate if key.startswith(peer)}
        if candidates[0] in rate and peers:
            shown = {key: rate[key] for key in candidates if key in rate}
            # The first is what the figure is of; the others are shown beside it.
            ratio = rate[candidates[0]] / max(peers.values())
            results.append(
                Result(name, ratio, f"times {peer}, {unit}", "at least", target, {**shown, **peers})
            )
    return results


if __name__ == "__main__":
    run_benchmark(contenders(), judge, once=_ONCE)
