"""A recording as one HTML file that loads nothing."""

import time
from html import escape
from typing import Callable, List, Optional, Sequence

from pyflink_async_batch._watch.observation import Job, Operator
from pyflink_async_batch._watch.operator_cells import (
    SIZES,
    breakers_not_closed,
    cells,
    failed_rows,
    limit_of_calls,
    size_bins,
    total,
    typical,
    worst,
)
from pyflink_async_batch._watch.plain_text import (
    UNKNOWN,
    milliseconds,
    printable,
    printable_text,
    size,
)
from pyflink_async_batch._watch.recording import Recording, Sample
from pyflink_async_batch._watch.svg_plot import Line, bars, plot

_STYLE = """
:root { color-scheme: light dark; --text: #1a1a1a; --page: #fff; --quiet: #595959; --rule: #ddd }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6e6e6; --page: #161616; --quiet: #a6a6a6; --rule: #444 }
}
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 76em; padding: 0 1em;
  color: var(--text); background: var(--page) }
h1, h2, p { overflow-wrap: anywhere }
h1, h2 { font-weight: 600 }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11em, 1fr)); gap: .8em 1.5em }
dl div { border-top: 1px solid var(--rule); padding-top: .3em; overflow-wrap: anywhere }
dt { color: var(--quiet); font-size: 12px } dd { margin: 0; font-weight: 600 }
.plots { display: grid; gap: 1em;
  grid-template-columns: repeat(auto-fill, minmax(min(24em, 100%), 1fr)) }
svg { width: 100%; height: auto; border: 1px solid var(--rule); box-sizing: border-box }
svg polyline { stroke-width: 1.8 } svg .grid { stroke: var(--rule) }
svg text { font: 11px system-ui, sans-serif; fill: var(--text) }
svg .title { font-weight: 600; font-size: 12px }
svg .tick { fill: var(--quiet) } .quiet { color: var(--quiet) }
"""

_Value = Callable[[Sample, Operator], Optional[float]]


def page(recording: Recording) -> str:
    """
    The whole file. Everything that comes from the cluster is text in it, never markup; a policy in
    the page forbids scripts, and requests of any kind.

    :raises ValueError: the recording has no sample.
    """
    if not recording.samples:
        raise ValueError("there is no sample to report")
    last = recording.samples[-1].job
    name = escape(printable(last.name))
    started = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(recording.started))
    parts = [
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>',
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\"/>",
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
        "<title>%s</title><style>%s</style></head><body>" % (name, _STYLE),
        "<h1>%s</h1>" % name,
        _paragraph(
            "Job %s on Flink %s. %d samples from %s, over %s. %s"
            % (
                last.id,
                recording.flink_version,
                len(recording.samples),
                started,
                milliseconds(1000 * (last.at - recording.samples[0].job.at)),
                recording.ended_by,
            )
        ),
        _paragraph(_facts(last)),
        _plots(_job_plots(recording.samples)),
    ]
    operators = _operators(recording.samples)
    if not operators:
        parts.append(_paragraph("No async-batch operator was seen in this job."))
    for sample, operator in operators:
        parts.append("<h2>%s</h2>" % escape(printable(operator.name)))
        shown = cells(sample.job, operator, recording.growth)
        parts.append(
            "<dl>%s</dl>"
            % "".join(
                "<div><dt>%s</dt><dd>%s</dd></div>" % (escape(title), escape(text))
                for title, text in shown
                if title != SIZES
            )
        )
        parts.append(_plots(_operator_plots(recording.samples, operator)))
    parts.append(
        '<p class="quiet">p50 is the mean of the subtasks\' medians; p99 and max are those of the '
        "worst subtask; counters are sums over subtasks. docs/metrics.md tells of each.</p>"
    )
    return "".join([*parts, "</body></html>\n"])


def _paragraph(text: str) -> str:
    return "<p>%s</p>" % escape(printable_text(text))


def _facts(job: Job) -> str:
    checkpoints = job.checkpoints
    return (
        "At the end: %s after %s, %d of %d tasks finished, restarts %s, checkpoints %d, failed %d, "
        "last one %s in %s."
        % (
            job.state,
            milliseconds(job.duration_ms),
            job.finished_tasks,
            job.tasks,
            UNKNOWN if job.restarts is None else job.restarts,
            checkpoints.completed,
            checkpoints.failed,
            size(checkpoints.state_bytes),
            milliseconds(checkpoints.duration_ms),
        )
    )


def _operators(samples: Sequence[Sample]) -> "list[tuple[Sample, Operator]]":
    """Each operator that was seen, with the last sample that has it."""
    found = {
        operator.key: (sample, operator) for sample in samples for operator in sample.job.operators
    }
    return [found[key] for key in sorted(found)]


def _plots(drawn: Sequence[str]) -> str:
    return '<div class="plots">%s</div>' % "".join(drawn)


def _job_plots(samples: Sequence[Sample]) -> List[str]:
    def line(name: str, value: Callable[[Job], Optional[float]]) -> Line:
        return Line(name, [(sample.job.at, value(sample.job)) for sample in samples])

    return [
        plot(
            "Checkpointed state",
            "MiB",
            [line("state", lambda job: _mebibytes(job.checkpoints.state_bytes))],
        ),
        plot(
            "Last checkpoint took",
            "ms",
            [line("duration", lambda job: job.checkpoints.duration_ms)],
        ),
    ]


def _operator_plots(samples: Sequence[Sample], operator: Operator) -> List[str]:
    def line(name: str, value: _Value) -> Line:
        points = []
        for sample in samples:
            found = [o for o in sample.job.operators if o.key == operator.key]
            points.append((sample.job.at, value(sample, found[0]) if found else None))
        return Line(name, points)

    def of_total(name: str, *metrics: str) -> Line:
        return line(name, lambda _, found: total(found, *metrics))

    def of_typical(name: str, metric: str) -> Line:
        return line(name, lambda _, found: typical(found, metric))

    def of_worst(name: str, metric: str) -> Line:
        return line(name, lambda _, found: worst(found, metric))

    rate = line("rows/s", lambda sample, found: sample.rows_per_second.get(found.key))
    if operator.batch_api:
        return [
            plot("Throughput", "rows/s", [rate]),
            plot("Jobs in flight", "jobs", [of_total("in flight", "batch.jobs.inflight")]),
            plot(
                "Jobs so far",
                "jobs",
                [
                    of_total("submitted", "batch.jobs.submitted"),
                    of_total("completed", "batch.jobs.completed"),
                    of_total("failed", "batch.jobs.failed"),
                ],
            ),
            plot("A job took", "ms", [of_typical("p50", "batch.job.latency_ms_median")]),
        ]
    return [
        plot("Throughput", "rows/s", [rate]),
        plot(
            "Rows done",
            "rows",
            [
                of_total("done", "totalRecordsProcessed"),
                line("of", lambda _, found: found.progress.rows if found.progress else None),
            ],
        ),
        plot(
            "In flight",
            "batches",
            [
                of_total("in flight", "inflightBatches"),
                of_total("capacity", "capacity"),
                of_total("done, to leave", "pendingOrderedBatches"),
                of_total("calls", "callsInFlight"),
            ],
        ),
        plot(
            "Calls against the limit",
            "calls of the fullest backend",
            [
                of_worst("calls", "backendCallsInFlight"),
                line("limit", lambda _, found: limit_of_calls(found)),
            ],
        ),
        plot(
            "Circuit breakers that are not closed",
            "count",
            [line("not closed", lambda _, found: breakers_not_closed(found.breakers))],
        ),
        bars("Batch sizes at the end", "rows", size_bins(operator) or []),
        plot(
            "Batch size",
            "rows",
            [
                of_typical("p50", "batchSize_median"),
                of_typical("p90", "batchSize_p90"),
                of_worst("max", "batchSize_max"),
            ],
        ),
        plot(
            "Calls took",
            "ms",
            [
                of_typical("p50", "asyncCallDurationMs_median"),
                of_worst("p99", "asyncCallDurationMs_p99"),
            ],
        ),
        plot(
            "From first row to last result",
            "ms",
            [
                of_typical("p50", "batchEndToEndLatencyMs_median"),
                of_worst("p99", "batchEndToEndLatencyMs_p99"),
            ],
        ),
        plot("Waiting for a place", "ms", [of_worst("p99", "queueWaitMs_p99")]),
        plot(
            "So far",
            "count",
            [
                of_total("retries", "batchRetryCount"),
                of_total("timeouts", "batchTimeoutCount"),
                of_total("failed calls", "asyncCallFailures"),
                line("failed rows", lambda _, found: failed_rows(found)),
            ],
        ),
        plot(
            "Workers",
            "count",
            [
                of_total("up", "workerReady"),
                of_total("restarting", "workerRestarting"),
                of_total("restarts so far", "workerRestarts"),
            ],
        ),
    ]


def _mebibytes(value: Optional[float]) -> Optional[float]:
    return None if value is None else value / 1024 / 1024
