"""A PyFlink job on a local mini cluster, watched through that cluster's own REST interface.

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
from typing import Any, Dict, List, Mapping, Optional, Tuple

from pyflink.common import Configuration
from pyflink.datastream import StreamExecutionEnvironment
from pyflink.datastream.connectors.base import Sink
from pyflink.java_gateway import get_gateway

_POLL_SECONDS = 0.1
_GIVE_UP_SECONDS = 240.0
_SINK_ROWS = re.compile(r"^0\..*Writer\.numRecordsIn$")

# Stock PyFlink runs a local job's Python in the client's own process unless told otherwise. A
# cluster never does, and sharing the client's interpreter lock would only slow stock down.
os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112


class LocalJob:
    """One job of its own mini cluster: build it on :attr:`environment`, then :meth:`start` it."""

    def __init__(self, options: Optional[Mapping[str, str]] = None) -> None:
        self._port = _free_port()
        configuration = Configuration()
        settings = {
            "rest.bind-address": "127.0.0.1",
            "rest.bind-port": str(self._port),
            "metrics.fetcher.update-interval": "50",
            "python.executable": sys.executable,
        }
        settings.update(options or {})
        for name, value in settings.items():
            configuration.set_string(name, value)
        self.environment = StreamExecutionEnvironment.get_execution_environment(configuration)
        self.environment.set_parallelism(1)

    def start(self, name: str) -> "RunningJob":
        return RunningJob(self.environment.execute_async(name), self._port)


class RunningJob:
    """A submitted job, its client and its cluster's REST interface."""

    def __init__(self, client: Any, port: int) -> None:
        self.client = client
        self.id = str(client.get_job_id())
        self._base = f"http://127.0.0.1:{port}/jobs/{self.id}"
        self._sink: Optional[Tuple[str, str]] = None

    def get(self, path: str = "") -> Any:
        with urllib.request.urlopen(self._base + path, timeout=10) as response:
            return json.load(response)

    def sink_rows(self) -> int:
        """Returns how many rows have reached the sink, 0 while the job starts."""
        if self._sink is None:
            self._sink = self._find_sink()
        if self._sink is None:
            return 0
        vertex, metric = self._sink
        query = urllib.parse.urlencode({"get": metric})
        values = self.get(f"/vertices/{vertex}/metrics?{query}")
        return int(values[0]["value"]) if values else 0

    def restarts(self) -> int:
        values = self.get("/metrics?get=numRestarts")
        return int(values[0]["value"]) if values else 0

    def checkpoints(self) -> List[Dict[str, Any]]:
        """Returns the completed checkpoints, oldest first, as Flink's REST interface shows them."""
        history = self.get("/checkpoints")["history"]
        done = [entry for entry in history if entry["status"] == "COMPLETED"]
        return sorted(done, key=lambda entry: int(entry["id"]))

    def completed_checkpoints(self) -> int:
        return int(self.get("/checkpoints")["counts"]["completed"])

    def steady_rate(self, rows: int, begin: float = 0.2, end: float = 0.9) -> float:
        """Returns rows per second at the sink between two shares of ``rows``.

        The window opens at the first look that finds ``begin`` of the rows at the sink and closes
        at the last look before ``end`` of them, so starting and winding down stay outside.
        """
        opened: Optional[Tuple[float, int]] = None
        closed: Optional[Tuple[float, int]] = None
        give_up = time.monotonic() + _GIVE_UP_SECONDS
        while True:
            if time.monotonic() > give_up:
                seen = self.sink_rows()
                self.cancel()
                raise TimeoutError(f"{seen} of {rows} rows in {_GIVE_UP_SECONDS:.0f} s")
            try:
                seen, now = self.sink_rows(), time.monotonic()
            except (urllib.error.URLError, ConnectionError):
                break  # a bounded job's cluster goes away with the job
            if opened is None and seen >= begin * rows:
                opened = (now, seen)
            elif opened is not None and seen <= end * rows and seen > opened[1]:
                closed = (now, seen)
            elif seen > end * rows:
                break
            time.sleep(_POLL_SECONDS)
        self.wait()
        if opened is None or closed is None:
            raise RuntimeError(f"rows={rows} passed before the window could be seen; raise it")
        return (closed[1] - opened[1]) / (closed[0] - opened[0])

    def wait(self) -> None:
        self.client.get_job_execution_result().result()

    def drain(self, savepoint: pathlib.Path) -> None:
        """Ends the input, lets everything through and waits for the end of the job.

        Through REST: the client's ``stop_with_savepoint`` calls a Java method that is gone.
        """
        body = json.dumps({"drain": True, "targetDirectory": f"file://{savepoint}"}).encode()
        request = urllib.request.Request(
            self._base + "/stop", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            trigger = json.load(response)["request-id"]
        self._require_success(f"/savepoints/{trigger}")
        self.wait()

    def cancel(self) -> None:
        self.client.cancel().result()

    def _require_success(self, operation: str) -> None:
        while True:
            try:
                answer = self.get(operation)
            except (urllib.error.URLError, ConnectionError):
                return  # the cluster went away with the job, which it does once all is done
            if answer["status"]["id"] == "COMPLETED":
                cause = answer["operation"].get("failure-cause")
                if cause:
                    raise RuntimeError(f"draining failed: {cause['stack-trace']}")
                return
            time.sleep(_POLL_SECONDS)

    def _find_sink(self) -> Optional[Tuple[str, str]]:
        for vertex in self.get()["vertices"]:
            for metric in self.get(f"/vertices/{vertex['id']}/metrics"):
                if _SINK_ROWS.match(metric["id"]):
                    return vertex["id"], metric["id"]
        return None


def discarding_sink() -> Sink:
    """Returns Flink's Java sink that drops every row."""
    jvm = get_gateway().jvm
    return Sink(jvm.org.apache.flink.streaming.api.functions.sink.v2.DiscardingSink())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
