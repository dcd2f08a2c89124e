"""A cluster on a terminal. The one module that needs Rich."""

from typing import List, Sequence

from rich import box
from rich.cells import cell_len
from rich.columns import Columns
from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from pyflink_async_batch._watch.growth import JobGrowth
from pyflink_async_batch._watch.observation import Cluster, Job
from pyflink_async_batch._watch.operator_cells import NAME, Cells, cells
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
# What a table has between two columns, and a panel around it.
_GAP, _PANEL_WIDTH = 3, 4


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
        rows = [cells(job, operator, growth) for operator in operators]
        if rows and _table_width(rows) + _PANEL_WIDTH <= width:
            parts.append(_table(rows))
        else:
            parts += [_list(row) for row in rows]
    title = Text.assemble((printable(job.name), "bold"), " ", (printable(job.id), "dim"))
    return Panel(Group(*parts), title=title, title_align="left", box=box.ROUNDED, expand=False)


def _table_width(rows: Sequence[Cells]) -> int:
    """In characters, with titles folded between words, and values in one line."""
    width = 0
    for column in zip(*rows):
        values = (cell_len(text) for _, text in column)
        width += _GAP + max(*values, *(cell_len(word) for word in column[0][0].split()))
    return width


def _table(rows: Sequence[Cells]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    for title, _ in rows[0]:
        justify: JustifyMethod = "left" if title == NAME else "right"
        table.add_column(Text(title), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(text, style=_style(title, text), no_wrap=True) for title, text in row))
    return table


def _list(row: Cells) -> RenderableType:
    (_, name), *values = row
    pairs = [
        Text.assemble((title + " ", "dim"), (text, _style(title, text))) for title, text in values
    ]
    return Group(Text(name, style="bold"), Columns(pairs, padding=(0, 3, 0, 0)))


def _style(title: str, text: str) -> str:
    """Colours what asks for a look."""
    if text in (UNKNOWN, "0", "0/0", "0/0/0"):
        return "dim"
    if title == "breaker":
        return "green" if text == "closed" else "bold red"
    if title in ("retries", "timeouts"):
        return "yellow"
    return "red" if title == "failed calls/rows" and text != "%s/%s" % (count(0), UNKNOWN) else ""
