"""PyFlink jobs on a local cluster, watched through that cluster's own REST interface.

What a job does is read from outside, from the counters that Flink keeps for every operator. Nothing
is added to the pipeline, so both contenders of a comparison are measured alike, and the time in
which the cluster and the Python worker start is simply not part of the window that is looked at.
"""

import json
import os
import pathlib
import re
import socket
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from pyflink.common import Configuration, TypeInformation, Types, WatermarkStrategy
from pyflink.datastream import DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.base import Sink, Source
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink.java_gateway import get_gateway

WARM_UP_SECONDS = 12.0
WINDOW_SECONDS = 5.0

_ENDLESS = 2**62
_POLL_SECONDS = 0.1
# A few of the fetcher's update intervals, and more than a fetch takes.
_FETCH_SECONDS = 0.5
_GIVE_UP_SECONDS = 240.0
_REST_SECONDS = 60.0
_STOP_SECONDS = 300.0
_SINK_ROWS = re.compile(r"^0\.(.*Writer\.numRecordsIn)$")

_STREAM_JAR = pathlib.Path(__file__).resolve().parent / "stream/target/benchmark-stream.jar"

# Stock PyFlink runs a local job's Python in the client's own process unless told otherwise. A
# cluster never does, and sharing the client's interpreter lock would only slow stock down.
os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112


class LocalJob:
    """One job of its own mini cluster: build it on :attr:`environment`, then :meth:`start` it.

    :param options: of the configuration.
    :param rest_port: of a cluster on 127.0.0.1 that runs already, in place of a mini cluster.
    """

    def __init__(
        self,
        options: Optional[Mapping[str, str]] = None,
        parallelism: int = 1,
        rest_port: Optional[int] = None,
    ) -> None:
        self._port = _free_port() if rest_port is None else rest_port
        configuration = Configuration()
        settings = {"python.executable": sys.executable, **(options or {})}
        if rest_port is None:
            settings = {
                "rest.bind-address": "127.0.0.1",
                "rest.bind-port": str(self._port),
                "metrics.fetcher.update-interval": "50",
                **settings,
            }
        for name, value in settings.items():
            configuration.set_string(name, value)
        if rest_port is None:
            made = StreamExecutionEnvironment.get_execution_environment(configuration)
        else:
            environments = get_gateway().jvm.org.apache.flink.streaming.api.environment
            jars = get_gateway().new_array(get_gateway().jvm.java.lang.String, 0)
            made = StreamExecutionEnvironment(
                environments.StreamExecutionEnvironment.createRemoteEnvironment(
                    "127.0.0.1", rest_port, configuration._j_configuration, jars
                )
            )
        self.environment = made
        self.environment.set_parallelism(parallelism)

    def numbers(self) -> DataStream:
        """Returns Flink's Java source of LONGs, endless for all that a benchmark sees of it."""
        return self._from_source(NumberSequenceSource(0, _ENDLESS), Types.LONG())

    def same_array(self, size: int) -> DataStream:
        """Returns an endless Java source of one and the same array of random bytes."""
        jvm = get_gateway().jvm
        unlimited = jvm.org.apache.flink.api.connector.source.util.ratelimit.RateLimiterStrategy
        return self.generated(
            self.stream_parts().SameArray(size),
            unlimited.noOp(),
            Types.PRIMITIVE_ARRAY(Types.BYTE()),
        )

    def generated(
        self, generator: Any, pace: Any, output_type: TypeInformation, count: int = _ENDLESS
    ) -> DataStream:
        """Returns Flink's Java source of what a generator makes.

        :param generator: a Java ``GeneratorFunction``, see :meth:`stream_parts`.
        :param pace: a Java ``RateLimiterStrategy``.
        """
        datagen = get_gateway().jvm.org.apache.flink.connector.datagen.source
        source = datagen.DataGeneratorSource(
            generator, count, pace, output_type.get_java_type_info()
        )
        return self._from_source(Source(source), output_type)

    def stream_parts(self) -> Any:
        """Returns the Java package of ``benchmarks/stream``, whose jar becomes part of the job."""
        if not _STREAM_JAR.exists():
            raise FileNotFoundError(f"{_STREAM_JAR}: built by make bench")
        self.environment.add_jars(_STREAM_JAR.as_uri())
        return get_gateway().jvm.io.asyncbatch.flink.benchmark.stream

    def _from_source(self, source: Source, output_type: TypeInformation) -> DataStream:
        watermarks = WatermarkStrategy.no_watermarks()
        return self.environment.from_source(source, watermarks, "rows", output_type)

    def start(self, name: str) -> "RunningJob":
        return RunningJob(self.environment.execute_async(name), self._port)


class StopError(Exception):
    """A savepoint that was to end a job was not made."""


class RunningJob:
    """A submitted job, its client and its cluster's REST interface."""

    def __init__(self, client: Any, port: int) -> None:
        self.client = client
        self.id = str(client.get_job_id())
        self._base = f"http://127.0.0.1:{port}/jobs/{self.id}"
        self._sink: Optional[Tuple[str, str]] = None

    def get(self, path: str = "") -> Any:
        with urllib.request.urlopen(self._base + path, timeout=_REST_SECONDS) as response:
            return json.load(response)

    def sink_rows(self) -> int:
        """Returns how many rows have reached all subtasks of the sink, 0 while the job starts."""
        if self._sink is None:
            self._sink = self._find_sink()
        if self._sink is None:
            return 0
        vertex, metric = self._sink
        query = urllib.parse.urlencode({"get": metric, "agg": "sum"})
        values = self.get(f"/vertices/{vertex}/subtasks/metrics?{query}")
        return int(values[0]["sum"]) if values else 0

    def restarts(self) -> int:
        values = self.get("/metrics?get=numRestarts")
        return int(values[0]["value"]) if values else 0

    def checkpoints(self) -> List[Dict[str, Any]]:
        """Returns the completed checkpoints, oldest first, as Flink's REST interface shows them."""
        history = self.get("/checkpoints")["history"]
        done = [entry for entry in history if entry["status"] == "COMPLETED"]
        return sorted(done, key=lambda entry: int(entry["id"]))

    def rate(self, warm_up: float = WARM_UP_SECONDS, seconds: float = WINDOW_SECONDS) -> float:
        """Returns rows per second at the sink of an endless job, and cancels it.

        :param warm_up: seconds from the first row at the sink to the window, for what is compiled
                        and grown on the first rows.
        :param seconds: length of the window.
        """
        try:
            give_up = time.monotonic() + _GIVE_UP_SECONDS
            while self.sink_rows() == 0:
                if time.monotonic() > give_up:
                    raise TimeoutError(f"no row reached the sink in {_GIVE_UP_SECONDS:.0f} s")
                time.sleep(_POLL_SECONDS)
            time.sleep(warm_up)
            first, opened = self._sink_rows_now()
            time.sleep(seconds)
            last, closed = self._sink_rows_now()
        except (urllib.error.URLError, ConnectionError):
            self.wait()  # raises what ended the job, and with it its cluster
            raise
        self.cancel()
        if last == first:
            raise RuntimeError(f"no row reached the sink for seconds={seconds}")
        return (last - first) / (closed - opened)

    def _sink_rows_now(self) -> Tuple[int, float]:
        """Returns the rows at the sink and when they were counted.

        Flink answers with what it knew before the question, and asks the TaskManagers only then.
        """
        self.sink_rows()
        counted = time.monotonic()
        time.sleep(_FETCH_SECONDS)
        return self.sink_rows(), counted

    def wait(self) -> None:
        self.client.get_job_execution_result().result()

    def accumulator(self, name: str) -> Any:
        """Returns what a job that ends by itself has accumulated, once it has ended."""
        return self.client.get_job_execution_result().result().get_accumulator_result(name)

    def stop(self, savepoint: pathlib.Path, drain: bool) -> str:
        """Ends the job with a savepoint and returns where that is.

        Through REST: the client's ``stop_with_savepoint`` calls a Java method that is gone.

        :param drain: whether its input ends with it and all rows leave.
        :raises StopError: The job goes on, or has failed.
        """
        # All requests with one id are one savepoint to Flink, so a lost answer is asked for again.
        trigger = uuid.uuid4().hex
        asked = {"drain": drain, "targetDirectory": f"file://{savepoint}", "triggerId": trigger}
        request = urllib.request.Request(
            self._base + "/stop", json.dumps(asked).encode(), {"Content-Type": "application/json"}
        )
        give_up = time.monotonic() + _STOP_SECONDS
        _patiently(request, give_up)
        while True:
            answer = _patiently(f"{self._base}/savepoints/{trigger}", give_up)
            if answer["status"]["id"] == "COMPLETED":
                cause = answer["operation"].get("failure-cause")
                if cause:
                    raise StopError(cause["stack-trace"])
                return str(answer["operation"]["location"])
            if time.monotonic() > give_up:
                raise StopError(f"no savepoint within {_STOP_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)

    def cancel(self) -> None:
        self.client.cancel().result()

    def _find_sink(self) -> Optional[Tuple[str, str]]:
        for vertex in self.get()["vertices"]:
            for metric in self.get(f"/vertices/{vertex['id']}/metrics"):
                sink = _SINK_ROWS.match(metric["id"])
                if sink:
                    return vertex["id"], sink.group(1)
        return None


def _patiently(request: Union[str, urllib.request.Request], give_up: float) -> Any:
    """What Flink answers, asked again while it is too busy to.

    :raises StopError: It was until ``give_up``, or refuses.
    """
    while True:
        try:
            with urllib.request.urlopen(request, timeout=_REST_SECONDS) as response:
                return json.load(response)
        except OSError as error:
            refuses = isinstance(error, urllib.error.HTTPError) and error.code < 500
            if refuses or time.monotonic() > give_up:
                raise StopError(_told(error)) from error
        time.sleep(_POLL_SECONDS)


def _told(error: OSError) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error}: {error.read().decode(errors='replace')}"
    return str(error)


def discarding_sink() -> Sink:
    """Returns Flink's Java sink that drops every row."""
    jvm = get_gateway().jvm
    return Sink(jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
