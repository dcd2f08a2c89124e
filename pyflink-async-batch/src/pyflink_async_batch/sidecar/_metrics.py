"""What a server measures of itself."""

import re
from typing import Any, Callable, Dict, Iterable, List, Protocol, Sequence

from pyflink_async_batch._batching.dynamic_batcher import BatcherLoad
from pyflink_async_batch.errors import UnsupportedEnvironmentError
from pyflink_async_batch.sidecar._function_metrics import FunctionMetricGroup

_PREFIX = "asyncbatch_sidecar_"
_FUNCTION_PREFIX = "asyncbatch_function_"
_ADDRESS = "127.0.0.1"
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics(Protocol):
    """Told by the server's event loop."""

    def answered(self, outcome: str, seconds: float) -> None:
        """An inference was answered, with 'OK' or the name of an error."""

    def batch_started(self, rows: int, waits: Sequence[float]) -> None:
        """A batch began; its requests had waited for so many seconds."""

    def batch_ended(self, seconds: float) -> None:
        """A batch ended, with whatever outcome."""

    def close(self) -> None:
        """Nobody can read the metrics any more."""


class NoMetrics:
    """For a server whose metrics nobody reads."""

    def answered(self, outcome: str, seconds: float) -> None:
        pass

    def batch_started(self, rows: int, waits: Sequence[float]) -> None:
        pass

    def batch_ended(self, seconds: float) -> None:
        pass

    def close(self) -> None:
        pass


class PrometheusMetrics:
    """
    Metrics that Prometheus reads over HTTP, from loopback alone.

    :param port: 0 for any.
    :param load: what waits and runs now; called in the thread that answers Prometheus.
    :param is_ready: whether the model is open; likewise.
    :param regions: how many regions of shared memory are registered; likewise.
    :param function_metrics: those of the user's function.
    :raises UnsupportedEnvironmentError: prometheus_client is not installed, or the port is taken.
    """

    def __init__(
        self,
        port: int,
        load: Callable[[], BatcherLoad],
        is_ready: Callable[[], bool],
        regions: Callable[[], int],
        function_metrics: FunctionMetricGroup,
    ) -> None:
        try:
            import prometheus_client as prometheus
        except ImportError:
            raise UnsupportedEnvironmentError(
                "--metrics-port needs prometheus_client: install pyflink-async-batch[sidecar]."
            ) from None
        registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Histogram(
            _PREFIX + "request_seconds",
            "From an inference's arrival to its answer, by outcome.",
            ["outcome"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._waits = prometheus.Histogram(
            _PREFIX + "queue_seconds",
            "What requests waited for their batch to begin.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._rows = prometheus.Histogram(
            _PREFIX + "batch_rows", "Rows of batches.", buckets=_ROWS, registry=registry
        )
        self._batches = prometheus.Histogram(
            _PREFIX + "batch_seconds",
            "What batches took in the function.",
            buckets=_SECONDS,
            registry=registry,
        )
        gauges: List[Any] = [
            ("queued_rows", "Rows that wait.", lambda: load().queued_rows),
            ("queued_bytes", "Bytes that wait.", lambda: load().queued_bytes),
            ("in_flight_rows", "Rows in running batches.", lambda: load().in_flight_rows),
            ("in_flight_batches", "Running batches.", lambda: load().in_flight_batches),
            ("shared_memory_regions", "Registered regions of shared memory.", regions),
            ("model_ready", "1 when the model takes inferences, 0 otherwise.", is_ready),
        ]
        for name, description, read in gauges:
            gauge = prometheus.Gauge(_PREFIX + name, description, registry=registry)
            gauge.set_function(read)
        registry.register(_FunctionMetrics(prometheus, function_metrics))
        try:
            self._server, self._thread = prometheus.start_http_server(port, _ADDRESS, registry)
        except OSError as error:
            raise UnsupportedEnvironmentError(
                f"The metrics cannot be served on port {port}: {error.strerror}."
            ) from None

    @property
    def port(self) -> int:
        """The port that was chosen."""
        return int(self._server.server_port)

    def answered(self, outcome: str, seconds: float) -> None:
        self._requests.labels(outcome).observe(seconds)

    def batch_started(self, rows: int, waits: Sequence[float]) -> None:
        self._rows.observe(rows)
        for wait in waits:
            self._waits.observe(wait)

    def batch_ended(self, seconds: float) -> None:
        self._batches.observe(seconds)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _FunctionMetrics:
    """The metrics of the user's function, as prometheus_client collects them."""

    def __init__(self, prometheus: Any, group: FunctionMetricGroup) -> None:
        self._prometheus = prometheus
        self._group = group

    def collect(self) -> Iterable[Any]:
        families: Dict[str, Any] = {}
        for sample in self._group.samples():
            name = _FUNCTION_PREFIX + re.sub(r"[^A-Za-z0-9_]", "_", "_".join(sample.path))
            metric_type = "counter" if sample.is_total else "gauge"
            # Two names that become one would make the whole page invalid.
            family = families.setdefault(
                name, self._prometheus.Metric(name, ".".join(sample.path), metric_type)
            )
            if not family.samples:
                family.add_sample(name + ("_total" if sample.is_total else ""), {}, sample.value)
        return families.values()
