"""A cluster on a terminal. The one module that needs Rich."""

from typing import List, Sequence

from rich import box
from rich.columns import Columns
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pyflink_async_batch._watch.growth import JobGrowth
from pyflink_async_batch._watch.observation import Cluster, Job, Operator
from pyflink_async_batch._watch.operator_cells import cells
from pyflink_async_batch._watch.plain_text import (
    UNKNOWN,
    count,
    milliseconds,
    printable,
    printable_text,
    size,
)

# Wide enough for every column, where no terminal says how wide it is.
_FILE_WIDTH = 300
# A narrower terminal has each operator as a list of its values.
_TABLE_WIDTH = 170
_NAME_WIDTH = 24


def console() -> Console:
    """Standard output; without colours where that is no terminal."""
    found = Console(highlight=False, markup=False, emoji=False)
    if not found.is_terminal:
        found = Console(highlight=False, markup=False, emoji=False, width=_FILE_WIDTH)
    return found


def frame(cluster: Cluster, growth: JobGrowth, url: str, width: int) -> RenderableType:
    """
    One picture of a cluster. Everything is Text: no name is taken for markup.

    :param width: how many characters a line has room for.
    """
    shown = [job for job in cluster.jobs if job.operators or job.warming]
    others = len(cluster.jobs) - len(shown)
    title = "Flink %s at %s, jobs with async-batch operators: %d, without: %d" % (
        printable(cluster.flink_version),
        url,
        len(shown),
        others,
    )
    return Group(Text(title, style="bold"), *(_job(job, growth, width) for job in shown))


def unreachable(problem: str) -> RenderableType:
    """In place of a frame that could not be had."""
    return Text(printable_text(problem), style="bold red")


def _job(job: Job, growth: JobGrowth, width: int) -> RenderableType:
    checkpoints = job.checkpoints
    facts = "%s for %s · %d of %d tasks finished · restarts %s · checkpoints %d, failed %d" % (
        job.state,
        milliseconds(job.duration_ms),
        job.finished_tasks,
        job.tasks,
        UNKNOWN if job.restarts is None else job.restarts,
        checkpoints.completed,
        checkpoints.failed,
    )
    if checkpoints.state_bytes is not None:
        facts += ", last %s in %s" % (
            size(checkpoints.state_bytes),
            milliseconds(checkpoints.duration_ms),
        )
    parts: List[RenderableType] = [Text(printable_text(facts))]
    if job.warming:
        parts.append(Text("Flink has not collected all of its metrics yet.", style="dim"))
    for batch_api in (False, True):
        operators = [o for o in job.operators if o.batch_api == batch_api]
        if operators and width >= _TABLE_WIDTH:
            parts.append(_table(job, operators, growth))
        else:
            parts += [_list(job, operator, growth) for operator in operators]
    title = Text.assemble((printable(job.name), "bold"), " ", (printable(job.id), "dim"))
    return Panel(Group(*parts), title=title, title_align="left", box=box.ROUNDED, expand=False)


def _table(job: Job, operators: Sequence[Operator], growth: JobGrowth) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    for index, operator in enumerate(operators):
        row = cells(job, operator, growth)
        if index == 0:
            for title, _ in row:
                is_name = title == "operator"
                table.add_column(
                    Text(title),
                    justify="left" if is_name else "right",
                    overflow="fold",
                    min_width=_NAME_WIDTH if is_name else None,
                )
        table.add_row(*(Text(text, style=_style(title, text)) for title, text in row))
    return table


def _list(job: Job, operator: Operator, growth: JobGrowth) -> RenderableType:
    (_, name), *values = cells(job, operator, growth)
    pairs = [
        Text.assemble((title + " ", "dim"), (text, _style(title, text))) for title, text in values
    ]
    return Group(Text(name, style="bold"), Columns(pairs, padding=(0, 3, 0, 0)))


def _style(title: str, text: str) -> str:
    """Colours what asks for a look."""
    if text in (UNKNOWN, "0", "0/0"):
        return "dim"
    if title == "breaker":
        return "green" if text == "closed" else "bold red"
    if title in ("retries", "timeouts"):
        return "yellow"
    return "red" if title == "failed calls/rows" and text != "%s/%s" % (count(0), UNKNOWN) else ""
