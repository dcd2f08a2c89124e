"""How much a real server is asked to do at a time: PyFlink jobs, HTTP, and no virtual time.

The server is ``overload_backend.py``, a process whose knee is that of the simulated backend, at
half of its times. Each contender is a job that asks it for batches of 64 rows as fast as it is let:
8, 16 (what is best in the simulation's sweep) and 48 calls at a time, and as many as
``concurrency="adaptive"`` finds, with circuit breaker and retry budget. All honour ``Retry-After``
by ``RetryLater`` and repeat what was lost with full jitter from 0.1 s up to 5 s.

Everything is read from what the server wrote down of each call: rows per second; the p99 of
batches, from their first call to their results; the share of calls that failed. After the steady
part everything takes three times as long for a while, and then the server is away, for the adaptive
contender and for the best number.

``make overload-process`` runs it, five minutes, and writes ``overload_process.json`` and the table
in ``docs/overload.md``. With ``--seconds`` it is shorter, to try, and writes nothing.
"""

import argparse
import json
import math
import pathlib
import statistics
import sys
import time
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import json_server
import overload_table
import results_table
from contest import Result, measured_by
from local_job import LocalJob, RunningJob, discarding_sink
from overload_backend import BATCH_ROWS, EXECUTORS

_HERE = pathlib.Path(__file__).resolve().parent

_OURS = "adaptive"
_BEST = f"fixed {EXECUTORS}"
_FIXED = (EXECUTORS // 2, EXECUTORS, 3 * EXECUTORS)
_CONTENDERS = [_OURS, *(f"fixed {calls}" for calls in _FIXED)]

# Of each part, as a share of the steady one, which takes 20 s.
_STEADY_SECONDS = 20.0
_WARM_UP, _SLOW, _AWAY, _RECOVERING = 0.7, 0.6, 1.2, 0.4
_SLOWNESS = 3.0
_RECOVERED = 0.95
_WINDOW_SECONDS = 2.0
_STEP_SECONDS = 0.25
_START_SECONDS = 120.0

# key, arrived, ended, rows, status
Call = Tuple[Any, float, float, int, int]
Span = Tuple[float, float]


class Server(json_server.Client):
    """The server's process, asked from here."""

    def condition(self, **changes: Any) -> float:
        """Returns when it was so, by the server's clock."""
        return float(self.ask("/condition", changes)["now"])

    def calls(self) -> List[Call]:
        return [tuple(call) for call in self.ask("/calls")["calls"]]


def _run(contender: str, steady_seconds: float) -> Dict[str, float]:
    with json_server.started(_HERE / "overload_backend.py") as url:
        server = Server(url)
        job = LocalJob()
        _ask_server(job.numbers(), server.url, contender).sink_to(discarding_sink())
        running = job.start(f"overload {contender}")
        _await_calls(server, running)
        spans = _go_through(server, steady_seconds, contender in (_OURS, _BEST))
        calls = server.calls()
        running.cancel()
    return _figures(calls, spans)


def _ask_server(numbers: Any, url: str, contender: str) -> Any:
    from pyflink.common import Types
    from pyflink_async_batch import (
        AsyncBatchFunction,
        AsyncDataStream,
        CircuitBreaker,
        ExponentialBackoffRetryStrategy,
        RetryBudget,
        RetryLater,
    )

    class Ask(AsyncBatchFunction[int, int]):
        def open(self, runtime_context: Any) -> None:
            import httpx2

            self.lost = httpx2.TransportError
            self.client = httpx2.AsyncClient(
                base_url=url,
                timeout=60,
                limits=httpx2.Limits(max_connections=None, max_keepalive_connections=None),
            )

        async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
            request = {"key": inputs[0], "rows": len(inputs)}
            try:
                response = await self.client.post("/infer", json=request)
            except self.lost as error:
                raise ConnectionError("the server did not answer") from error
            if response.status_code in (429, 503):
                raise RetryLater.from_headers(response.headers, otherwise=0.1)
            return inputs

    strategy = ExponentialBackoffRetryStrategy(
        1_000_000,
        timedelta(milliseconds=100),
        max_delay=timedelta(seconds=5),
        full_jitter=True,
        exception_predicate=lambda error: isinstance(error, ConnectionError),
    )
    control: Dict[str, Any] = (
        {
            "concurrency": _OURS,
            "circuit_breaker": CircuitBreaker(),
            "retry_budget": RetryBudget(),
        }
        if contender == _OURS
        else {"concurrency": int(contender.split()[1])}
    )
    return AsyncDataStream.unordered_wait_batch_with_retry(
        numbers,
        Ask(),
        timedelta(minutes=5),
        BATCH_ROWS,
        strategy,
        output_type=Types.LONG(),
        **control,
    )


def _await_calls(server: Server, job: RunningJob) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while not server.calls():
        try:
            job.get()
        except (urllib.error.URLError, ConnectionError):
            job.wait()  # raises what ended the job, and with it its cluster
        if time.monotonic() > give_up:
            raise TimeoutError(f"nobody called the server in {_START_SECONDS:.0f} s")
        time.sleep(0.1)


def _go_through(server: Server, steady: float, with_events: bool) -> Dict[str, Span]:
    """Returns when each part began and ended."""
    parts: List[Tuple[str, float, Dict[str, Any]]] = [
        ("warm-up", _WARM_UP, {}),
        ("steady", 1.0, {}),
    ]
    if with_events:
        parts += [
            ("slow", _SLOW, {"slowness": _SLOWNESS}),
            ("after slow", _RECOVERING, {"slowness": 1.0}),
            ("away", _AWAY, {"away": True}),
            ("after away", _RECOVERING, {"away": False}),
        ]
    begun = []
    for _, share, condition in parts:
        begun.append(server.condition(**condition))
        time.sleep(share * steady)
    ended = [*begun[1:], server.condition()]
    return {name: span for (name, _, _), span in zip(parts, zip(begun, ended))}


def _figures(calls: Sequence[Call], spans: Mapping[str, Span]) -> Dict[str, float]:
    steady = spans["steady"]
    rows_per_second = _rows_per_second(calls, steady)
    first: Dict[Any, float] = {}
    for key, arrived, _, _, _ in sorted(calls, key=lambda call: call[1]):
        first.setdefault(key, arrived)
    took = [
        ended - first[key]
        for key, _, ended, _, status in calls
        if status == 200 and steady[0] <= ended < steady[1]
    ]
    figures = {
        "rows/s": rows_per_second,
        "p99 ms": 1_000 * statistics.quantiles(took, n=100)[98],
        "failed": _failed(calls, steady),
    }
    if "away" in spans:
        away = spans["away"]
        normal = _arrived(calls, steady) / (steady[1] - steady[0])
        enough = _RECOVERED * rows_per_second
        figures.update(
            {
                "failed while slow": _failed(calls, spans["slow"]),
                "s to recover from slow": _recovery(calls, spans["after slow"], enough),
                "calls while away": _arrived(calls, away) / (normal * (away[1] - away[0])),
                "s to recover from away": _recovery(calls, spans["after away"], enough),
            }
        )
    return figures


def _rows_per_second(calls: Sequence[Call], span: Span) -> float:
    rows = sum(
        rows for _, _, ended, rows, status in calls if status == 200 and span[0] <= ended < span[1]
    )
    return rows / (span[1] - span[0])


def _failed(calls: Sequence[Call], span: Span) -> float:
    ended = [status for _, _, ended, _, status in calls if span[0] <= ended < span[1]]
    return sum(status != 200 for status in ended) / max(1, len(ended))


def _arrived(calls: Sequence[Call], span: Span) -> int:
    return sum(span[0] <= arrived < span[1] for _, arrived, _, _, _ in calls)


def _recovery(calls: Sequence[Call], span: Span, enough: float) -> float:
    """Seconds until rows per second are what they were, for two seconds; infinity if never."""
    begin = span[0]
    while begin + _WINDOW_SECONDS <= span[1]:
        if _rows_per_second(calls, (begin, begin + _WINDOW_SECONDS)) >= enough:
            return begin - span[0]
        begin += _STEP_SECONDS
    return math.inf


def _judge(figures: Mapping[str, Mapping[str, float]]) -> List[Result]:
    ours, best = figures[_OURS], figures[_BEST]

    def told(name: str, of: Sequence[str] = (_OURS, _BEST)) -> Dict[str, float]:
        return {f"{contender} {name}": figures[contender][name] for contender in of}

    def promise(name: str, figure: str, unit: str, target: float) -> Result:
        return Result(name, ours[figure], unit, "at most", target, told(figure))

    results = [
        Result(
            "process_throughput",
            ours["rows/s"] / best["rows/s"],
            f"of the rows/s of {EXECUTORS} calls",
            "at least",
            0.95,
            told("rows/s"),
        ),
        Result(
            "process_p99",
            ours["p99 ms"] / best["p99 ms"],
            f"times the p99 of {EXECUTORS} calls",
            "at most",
            1.3,
            told("p99 ms"),
        ),
        promise("process_steady_errors", "failed", "of calls fail", 0.01),
        promise("process_slow_errors", "failed while slow", "of calls fail", 0.01),
        promise("process_slow_recovery", "s to recover from slow", "s to 95% of before", 10),
        promise("process_outage_calls", "calls while away", "of the normal rate", 0.02),
        promise("process_outage_recovery", "s to recover from away", "s to 95% of before", 5),
    ]

    def score(contender: str) -> float:
        return figures[contender]["rows/s"] / figures[contender]["p99 ms"]

    for calls in _FIXED:
        peer = f"fixed {calls}"
        if peer != _BEST:
            results.append(
                Result(
                    f"process_vs_{peer.replace(' ', '_')}",
                    score(_OURS) / score(peer),
                    f"times the rows/s / p99 of {calls} calls",
                    "at least",
                    1.0,
                    {**told("rows/s", [_OURS, peer]), **told("p99 ms", [_OURS, peer])},
                )
            )
    return results


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--contender", choices=_CONTENDERS)
    parser.add_argument("--seconds", type=float, help="of the steady part; by default 20")
    arguments = parser.parse_args()
    seconds = arguments.seconds or _STEADY_SECONDS
    if arguments.contender:
        print("MEASURED " + json.dumps(_run(arguments.contender, seconds)), flush=True)
        return 0
    figures: Dict[str, Any] = {}
    for contender in _CONTENDERS:
        figures[contender] = measured_by(
            [__file__, "--contender", contender, "--seconds", str(seconds)]
        )
        shown = ", ".join(f"{name} {value:.4g}" for name, value in figures[contender].items())
        print(f"{contender}: {shown}", file=sys.stderr, flush=True)
    results = _judge(figures)
    lines = {result.name: result.as_json() for result in results}
    if arguments.seconds is None:
        overload_table.PROCESS_JSON.write_text(
            json.dumps({"results": lines, "figures": figures}, indent=2) + "\n", encoding="utf-8"
        )
        overload_table.write_page()
    print(results_table.results(lines))
    return 0 if all(result.met for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
