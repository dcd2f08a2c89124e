"""Reads the async-batch operators of a cluster."""

import math
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from pyflink_async_batch._watch import metric_names
from pyflink_async_batch._watch.flink_rest import FlinkRest, NotFoundError, RestError, number
from pyflink_async_batch._watch.observation import (
    ENDED,
    Checkpoints,
    Cluster,
    Job,
    Operator,
    Progress,
    Spread,
)


class ClusterReader:
    """
    Each call looks anew. Stateless.

    :param clock: seconds of a monotonic clock.
    :param rows: how many rows each operator gets in all, where the user knows.
    """

    def __init__(
        self,
        rest: FlinkRest,
        clock: Callable[[], float] = time.monotonic,
        rows: Optional[int] = None,
    ) -> None:
        self._rows = rows
        self._rest = rest
        self._clock = clock

    def flink_version(self) -> str:
        """:raises RestError: there is no Flink."""
        return str(_mapping(self._rest.get("/config")).get("flink-version", "unknown"))

    def cluster(self) -> Cluster:
        """
        The jobs that have not ended. One that ends while it is looked at is left out.

        :raises RestError: the cluster does not answer.
        """
        version = self.flink_version()
        jobs = []
        for entry in self.overview():
            if entry["state"] not in ENDED:
                try:
                    jobs.append(self.job(entry["jid"]))
                except NotFoundError:
                    continue
        return Cluster(version, jobs)

    def overview(self) -> List[Dict[str, Any]]:
        """All jobs that the cluster knows: ``jid``, ``name``, ``state`` and more.

        :raises RestError: the cluster does not answer.
        """
        jobs = _mapping(self._rest.get("/jobs/overview")).get("jobs", [])
        return [dict(job, jid=str(job["jid"]), state=str(job["state"])) for job in jobs]

    def job(self, job_id: str) -> Job:
        """
        One job, whatever its state.

        :raises NotFoundError: there is no such job.
        :raises RestError: the cluster does not answer.
        """
        at = self._clock()
        path = "/jobs/" + job_id
        found = _mapping(self._rest.get(path))
        vertices = found.get("vertices", [])
        answer = self._optional(path + "/checkpoints")
        latest = (answer.get("latest") or {}).get("completed") or {}
        details = (
            self._optional("%s/checkpoints/details/%d" % (path, int(latest["id"])))
            if "id" in latest
            else {}
        )
        sizes = {
            vertex: number(task.get("state_size"))
            for vertex, task in (details.get("tasks") or {}).items()
        }
        operators: List[Operator] = []
        warming = False
        for vertex in vertices:
            names = self._metric_names("%s/vertices/%s/subtasks/metrics" % (path, vertex["id"]))
            warming = warming or (vertex.get("status") == "RUNNING" and not names)
            operators += self._operators(path, found, vertex, names, sizes)
        tasks = [vertex.get("tasks") or {} for vertex in vertices]
        counts = answer.get("counts") or {}
        return Job(
            id=job_id,
            name=str(found.get("name", "")),
            state=str(found.get("state", "UNKNOWN")),
            duration_ms=number(found.get("duration")),
            at=at,
            finished_tasks=sum(int(task.get("FINISHED", 0)) for task in tasks),
            tasks=sum(int(count) for task in tasks for count in task.values()),
            restarts=self._restarts(path),
            checkpoints=Checkpoints(
                completed=int(counts.get("completed", 0)),
                failed=int(counts.get("failed", 0)),
                state_bytes=_known(number(latest.get("state_size"))),
                duration_ms=_known(number(latest.get("end_to_end_duration"))),
            ),
            operators=operators,
            warming=warming,
        )

    def _optional(self, path: str) -> Mapping[str, Any]:
        """An answer that may be missing: checkpoints that are off, or have been subsumed."""
        try:
            return _mapping(self._rest.get(path))
        except NotFoundError:
            return {}

    def _metric_names(self, path: str) -> List[str]:
        try:
            return [str(metric["id"]) for metric in self._rest.get(path)]
        except NotFoundError:
            return []

    def _restarts(self, path: str) -> Optional[int]:
        try:
            answers = self._rest.metrics(path + "/metrics", ["numRestarts"])
        except NotFoundError:
            return None
        values = [number(answer.get("value")) for answer in answers]
        return int(values[0]) if values and math.isfinite(values[0]) else None

    def _operators(
        self,
        path: str,
        job: Mapping[str, Any],
        vertex: Mapping[str, Any],
        names: Sequence[str],
        sizes: Mapping[str, float],
    ) -> List[Operator]:
        """Those of one vertex, where several may be chained."""
        known = set(names)
        vertex_path = "%s/vertices/%s" % (path, vertex["id"])
        operators = []
        for marker, wanted in (
            (metric_names.BATCHES, metric_names.OF_BATCHES),
            (metric_names.JOBS, metric_names.OF_JOBS),
        ):
            suffix = "." + marker
            for prefix in sorted(name[: -len(marker)] for name in known if name.endswith(suffix)):
                metrics = self._values(
                    vertex_path + "/subtasks/metrics",
                    prefix,
                    [
                        *(name for name in wanted if prefix + name in known),
                        *_failed_rows(prefix, known),
                    ],
                )
                operators.append(
                    Operator(
                        name=prefix[:-1],
                        vertex=str(vertex["id"]),
                        parallelism=int(vertex.get("parallelism", 1)),
                        batch_api=marker == metric_names.JOBS,
                        metrics=metrics,
                        breakers=self._breakers(vertex_path, vertex, prefix, known),
                        state_bytes=sizes.get(str(vertex["id"])),
                        progress=_progress(job, vertex, metrics, self._rows),
                    )
                )
        return operators

    def _values(self, path: str, prefix: str, names: Sequence[str]) -> Dict[str, Spread]:
        try:
            answers = self._rest.metrics(path, [prefix + name for name in names])
        except NotFoundError:
            return {}
        values = {}
        for answer in answers:
            spread = Spread(*(number(answer.get(key)) for key in ("sum", "min", "max", "avg")))
            # NaN: a histogram that has seen nothing.
            if math.isfinite(spread.total):
                values[str(answer["id"])[len(prefix) :]] = spread
        return values

    def _breakers(
        self, path: str, vertex: Mapping[str, Any], prefix: str, known: "set[str]"
    ) -> List[str]:
        if prefix + metric_names.BREAKER not in known:
            return []
        subtasks = range(int(vertex.get("parallelism", 1)))
        names = ["%d.%s%s" % (subtask, prefix, metric_names.BREAKER) for subtask in subtasks]
        try:
            return [str(m.get("value")) for m in self._rest.metrics(path + "/metrics", names)]
        except NotFoundError:
            return []


def _failed_rows(prefix: str, known: "set[str]") -> List[str]:
    start = prefix + metric_names.FAILED_ROWS
    return sorted(name[len(prefix) :] for name in known if name.startswith(start))


def _progress(
    job: Mapping[str, Any],
    vertex: Mapping[str, Any],
    metrics: Mapping[str, Spread],
    told: Optional[int],
) -> Optional[Progress]:
    """
    How many of all rows have their results. If nobody told, all rows are known once everything
    before the operator's vertex has ended, if it sent its rows there and nowhere else.
    """
    done = metrics.get("totalRecordsProcessed")
    if done is not None and told is not None:
        return Progress(min(done.total, told), told)
    nodes = (job.get("plan") or {}).get("nodes", [])
    edges = [
        (str(edge["id"]), str(node["id"])) for node in nodes for edge in node.get("inputs") or []
    ]
    before = {source for source, target in edges if target == vertex["id"]}
    if done is None or not before:
        return None
    if any(source in before and target != vertex["id"] for source, target in edges):
        return None
    sources = [v for v in job.get("vertices", []) if v["id"] in before]
    ended = all(
        source.get("status") == "FINISHED"
        and (source.get("metrics") or {}).get("write-records-complete") is True
        for source in sources
    )
    if not ended or len(sources) != len(before):
        return None
    rows = sum(number(source["metrics"].get("write-records")) for source in sources)
    return Progress(min(done.total, rows), rows) if rows > 0 else None


def _known(value: float) -> Optional[float]:
    return value if math.isfinite(value) else None


def _mapping(answer: Any) -> Mapping[str, Any]:
    if not isinstance(answer, dict):
        raise RestError("the cluster's answer is not one of Flink's REST interface")
    return answer
