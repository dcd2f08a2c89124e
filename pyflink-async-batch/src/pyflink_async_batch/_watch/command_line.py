"""The command line: ``pyflink-async-batch``."""

import argparse
import math
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import NoReturn, Optional, Sequence

from pyflink_async_batch._watch.cluster_reader import ClusterReader
from pyflink_async_batch._watch.flink_rest import FlinkRest, RestError
from pyflink_async_batch._watch.growth import JobGrowth
from pyflink_async_batch._watch.html_report import page
from pyflink_async_batch._watch.plain_text import printable_text
from pyflink_async_batch._watch.recording import record
from pyflink_async_batch.errors import (
    AsyncBatchError,
    InvalidOptionError,
    UnsupportedEnvironmentError,
)

_USAGE_STATUS = 2
# Flink collects metrics when they are asked for, and not again for ten seconds.
_METRICS_WAIT_SECONDS = 15.0
_METRICS_POLL_SECONDS = 0.5
_SHORTEST_INTERVAL = 0.1


def main(argv: Optional[Sequence[str]] = None) -> NoReturn:
    """Leaves the process with 0, 1 if the cluster does not answer as Flink does or lacks the job,
    2 for wrong options."""
    command_line = parser()
    arguments = command_line.parse_args(argv)
    try:
        arguments.run(arguments)
    except AsyncBatchError as error:
        command_line.exit(_USAGE_STATUS, f"{command_line.prog}: {error}\n")
    except RestError as error:
        command_line.exit(1, f"{command_line.prog}: {printable_text(str(error))}\n")
    except KeyboardInterrupt:
        command_line.exit(128 + signal.SIGINT)
    sys.exit(0)


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    command_line = argparse.ArgumentParser(
        prog="pyflink-async-batch",
        description="Watches the async-batch operators of a Flink cluster by its REST interface.",
        allow_abbrev=False,
    )
    commands = command_line.add_subparsers(required=True, metavar="COMMAND")
    top = commands.add_parser(
        "top", help="a live view in the terminal (needs the extra 'watch')", allow_abbrev=False
    )
    _add_common(top)
    top.add_argument("--once", action="store_true", help="print one frame and leave")
    top.add_argument("--interval", type=_seconds, default=2.0, metavar="SECONDS", help="(2)")
    top.set_defaults(run=_top)
    report = commands.add_parser(
        "report", help="one HTML file about a job, with plots", allow_abbrev=False
    )
    _add_common(report)
    report.add_argument("--job", required=True, metavar="ID", help="its id, or its exact name")
    report.add_argument(
        "--seconds",
        type=_seconds,
        default=60.0,
        metavar="N",
        help="how long to look, unless the job ends before (60)",
    )
    report.add_argument("--interval", type=_seconds, default=2.0, metavar="SECONDS", help="(2)")
    report.add_argument("--output", required=True, metavar="FILE", help="is replaced if it exists")
    report.set_defaults(run=_report)
    return command_line


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--rest", required=True, metavar="URL", help="of the JobManager, as http://host:8081"
    )
    command.add_argument(
        "--rows",
        type=_rows,
        metavar="N",
        help="how many rows each operator gets in all, if you know: shows how far it is",
    )


def _top(arguments: argparse.Namespace) -> None:
    try:
        from pyflink_async_batch._watch import terminal_view
    except ImportError:
        raise UnsupportedEnvironmentError(
            "'top' needs Rich: pip install 'pyflink-async-batch[watch]'. 'report' does without it."
        ) from None
    reader = ClusterReader(FlinkRest(arguments.rest), rows=arguments.rows)
    growth = JobGrowth()
    console = terminal_view.console()
    if arguments.once:
        cluster = reader.cluster()
        deadline = time.monotonic() + _METRICS_WAIT_SECONDS
        while any(job.warming for job in cluster.jobs) and time.monotonic() < deadline:
            time.sleep(_METRICS_POLL_SECONDS)
            cluster = reader.cluster()
        for job in cluster.jobs:
            growth.add(job)
        console.print(terminal_view.frame(cluster, growth, arguments.rest, console.width))
        return
    from rich.live import Live

    # The first look is not caught: an address that is wrong ends the command.
    reader.flink_version()
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            try:
                cluster = reader.cluster()
            except RestError as error:
                live.update(terminal_view.unreachable(str(error)), refresh=True)
            else:
                growth.keep({job.id for job in cluster.jobs})
                for job in cluster.jobs:
                    growth.add(job)
                live.update(
                    terminal_view.frame(cluster, growth, arguments.rest, console.width),
                    refresh=True,
                )
            time.sleep(arguments.interval)


def _report(arguments: argparse.Namespace) -> None:
    output = Path(arguments.output)
    # Before the job was looked at for minutes.
    if output.is_dir() or not os.access(output.parent, os.W_OK):
        raise InvalidOptionError("--output", arguments.output, "a file in a writable directory")
    reader = ClusterReader(FlinkRest(arguments.rest), rows=arguments.rows)
    job_id = _job_id(reader, arguments.job)
    recording = record(reader, job_id, arguments.seconds, arguments.interval)
    if not recording.samples:
        raise RestError("it was interrupted before the job's first sample")
    _write(output, page(recording))
    print("%s: %d samples. %s" % (output, len(recording.samples), recording.ended_by))


def _job_id(reader: ClusterReader, wanted: str) -> str:
    """
    :raises RestError: there is no such job.
    :raises InvalidOptionError: several jobs have the name.
    """
    jobs = reader.overview()
    named = [str(job["jid"]) for job in jobs if job["jid"] == wanted or job.get("name") == wanted]
    if len(named) > 1:
        raise InvalidOptionError("--job", wanted, "one of the ids %s" % ", ".join(named))
    if not named:
        raise RestError("the cluster has no job with id or name '%s'" % wanted)
    return named[0]


def _write(output: Path, text: str) -> None:
    """All of it or nothing, readable by the user alone until they share it."""
    descriptor, temporary = tempfile.mkstemp(prefix=output.name + ".", dir=output.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, output)
    except BaseException:
        os.unlink(temporary)
        raise


def _seconds(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value < _SHORTEST_INTERVAL:
        raise argparse.ArgumentTypeError(
            "must be at least %s and finite, got %s" % (_SHORTEST_INTERVAL, text)
        )
    return value


def _rows(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1, got %s" % text)
    return value
