"""The job under load: from a seeded source through the operator to exactly-once files."""

import pathlib
from typing import NamedTuple, Optional

import cloudpickle
import pyflink
from local_job import LocalJob, RunningJob
from pyflink.common import Encoder, Time, Types
from pyflink.datastream import DataStream
from pyflink.datastream.connectors.file_system import FileSink

from . import function
from .rows import PIECES, ROWS_OF_A_PIECE, Rows

TIMEOUT_SECONDS = 4
_STALL_SECONDS = 3
_BATCH_ROWS = 128
_CAPACITY = 8
_CHECKPOINT_INTERVAL = "1 s"
_RESTART_DELAY = "200 ms"
# So that some batches go through shared memory and some do not.
_SHARED_MEMORY_THRESHOLD = 48 * 1024
_NOT_LIMITED = 2**31 - 2

_OPT = pathlib.Path(pyflink.__file__).resolve().parent / "opt"

# Functions are looked up by their module otherwise, which a worker has not.
cloudpickle.register_pickle_by_value(function)


class Load(NamedTuple):
    """What a job is made of, whichever parallelism it runs with."""

    rows: Rows
    least_rows_a_second: int
    most_rows_a_second: int
    ordered: bool


class Directories:
    """Where the job and what happens to it meet, below one root."""

    def __init__(self, root: pathlib.Path) -> None:
        self.orders = root / "orders"
        self.at_work = root / "at work"
        self.timeouts = root / "timeouts"
        self.failure = root / "fail the task"
        self.checkpoints = root / "checkpoints"
        self.savepoints = root / "savepoints"
        self.results = root / "results"
        self.dead_letters = root / "dead letters"
        for directory in (self.orders, self.at_work):
            directory.mkdir()
        self.timeouts.touch()


def start(
    load: Load,
    directories: Directories,
    rest_port: int,
    backend_port: int,
    parallelism: int,
    savepoint: Optional[str],
) -> RunningJob:
    """
    :param parallelism: of the operator and what follows; the source has that of its pieces.
    :param savepoint: where it goes on, or None for its beginning.
    """
    options = {
        "execution.checkpointing.dir": f"file://{directories.checkpoints}",
        "execution.checkpointing.interval": _CHECKPOINT_INTERVAL,
        "restart-strategy.type": "fixed-delay",
        "restart-strategy.fixed-delay.attempts": str(_NOT_LIMITED),
        "restart-strategy.fixed-delay.delay": _RESTART_DELAY,
        "pipeline.max-parallelism": "128",
    }
    if savepoint is not None:
        options["execution.state-recovery.path"] = savepoint
    job = LocalJob(options, parallelism, rest_port)
    # As "flink run" has it for a job in Python.
    job.environment.add_jars(*(jar.as_uri() for jar in _OPT.glob("flink-python-*.jar")))
    results = _asked(job, load, directories, backend_port)
    letters = _dead_letters(results)
    told = job.stream_parts().FailsWhenTold(str(directories.failure))
    results = DataStream(results._j_data_stream.map(told)).uid("told to fail")
    results.sink_to(_files(directories.results)).uid("results").name("results")
    letters.sink_to(_files(directories.dead_letters)).uid("dead letters").name("dead letters")
    return job.start("soak")


def _asked(job: LocalJob, load: Load, directories: Directories, backend_port: int) -> DataStream:
    from pyflink_async_batch import AsyncDataStream, CircuitBreaker, RetryBudget, WorkerRestart

    rows = load.rows
    parts = job.stream_parts()
    source = job.generated(
        parts.SeededTexts(*rows),
        parts.UnevenPace(rows.seed, load.least_rows_a_second, load.most_rows_a_second),
        Types.STRING(),
        PIECES * ROWS_OF_A_PIECE,
    )
    source.set_parallelism(PIECES).uid("source")
    wait = (
        AsyncDataStream.ordered_wait_batch
        if load.ordered
        else (AsyncDataStream.unordered_wait_batch)
    )
    return wait(
        source.rebalance(),
        function.Asks(
            backend_port,
            str(directories.orders),
            str(directories.at_work),
            str(directories.timeouts),
            rows.fails,
            rows.raises,
            max(rows.most_letters, rows.most_letters_of_large),
        ),
        timeout=Time.seconds(TIMEOUT_SECONDS),
        batch_size=_BATCH_ROWS,
        batch_timeout=Time.milliseconds(100),
        capacity=_CAPACITY,
        output_type=Types.STRING(),
        shared_memory_threshold=_SHARED_MEMORY_THRESHOLD,
        worker_restart=WorkerRestart(
            max_restarts=1_000_000,
            initial_backoff=Time.milliseconds(100),
            max_backoff=Time.seconds(1),
        ),
        stall_timeout=Time.seconds(_STALL_SECONDS),
        isolate=True,
        on_failure="dead_letter",
        concurrency="adaptive",
        circuit_breaker=CircuitBreaker(),
        retry_budget=RetryBudget(),
    ).uid("operator")


def _dead_letters(results: DataStream) -> DataStream:
    from pyflink_async_batch import dead_letters_tag

    # PyFlink's own method puts a Python function of its own behind the side output.
    tag = dead_letters_tag(Types.STRING()).get_java_output_tag()
    return DataStream(results._j_data_stream.getSideOutput(tag))


def _files(directory: pathlib.Path) -> FileSink:
    return FileSink.for_row_format(str(directory), Encoder.simple_string_encoder()).build()
