"""What the size of a batch means at a Batch API: rows per second, jobs, and the price of a row.

A PyFlink job sends numbers through ``BatchInference`` to ``examples/batch_api_stub.py``, whose jobs
take a fixed time (``--job-seconds``, a model: a provider's take minutes to hours) whatever they
hold. Time is taken at the provider: from the first request that it gets to the last file that is
fetched from it. The job's start is no part of it; making requests and results in Python is. How
many rows a provider answers per second is its own affair and is not modelled: what is shown is how
much the client's part allows, with ``ml.batch.max.jobs`` jobs in flight.

The price of a row is modelled: tokens times list prices, half of that for a batch
(``--batch-discount``), times how often a row was paid, which is counted. Prices change, and the
defaults are an example, taken from others' lists: give your provider's, and say with
``--price-source`` and ``--price-date`` whose they are and of when.

    .venv/bin/python benchmarks/batch_api.py

prints the table of docs/batch-api.md. It takes two minutes and is no part of ``make bench``.
"""

import argparse
import contextlib
import pathlib
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Iterator, List

from local_job import LocalJob, discarding_sink
from pyflink.common import Types, WatermarkStrategy
from pyflink.datastream.connectors.number_seq import NumberSequenceSource
from pyflink_async_batch import BatchCodec, BatchInference, BatchInferenceOptions

_ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(_ROOT / "examples"))

import batch_api_stub  # noqa: E402

_MAX_JOBS = 100
_TOKENS_OF_A_PRICE = 1_000_000


class Numbers(BatchCodec[int, int]):
    """A request of the size of a short prompt."""

    def request(self, value: int) -> Any:
        return {"model": "some-model", "input": f"{value} " + "word " * 40, "n": value}

    def result(self, value: int, response: Any) -> int:
        return int(response["n"])


@dataclass
class Measured:
    """What the provider saw of one job of Flink's."""

    batch_size: int
    rows: int
    paid_rows: int
    jobs: int
    requests: int
    seconds: float


@dataclass
class Provider:
    """The stub, and when it was asked for what."""

    address: str
    stub: Any
    times: List[float]

    def measured(self, batch_size: int, rows: int) -> Measured:
        jobs = self.stub.jobs.values()
        return Measured(
            batch_size=batch_size,
            rows=rows,
            paid_rows=sum(len(job.lines) for job in jobs),
            jobs=len(jobs),
            requests=len(self.times) // 2,
            seconds=max(self.times) - min(self.times),
        )


@contextlib.contextmanager
def provider(job_seconds: float) -> Iterator[Provider]:
    server = batch_api_stub.serve(seconds=job_seconds)
    times: List[float] = []
    handler = server.RequestHandlerClass

    def respond(self: Any) -> None:
        times.append(time.monotonic())
        handler.respond(self)
        times.append(time.monotonic())

    server.RequestHandlerClass = type("TimedHandler", (handler,), {"respond": respond})
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield Provider(address, handler.provider, times)
    finally:
        server.shutdown()
        server.server_close()


def measure(batch_size: int, rows: int, job_seconds: float) -> Measured:
    with provider(job_seconds) as api, tempfile.TemporaryDirectory() as directory:
        job = LocalJob()
        numbers = job.environment.from_source(
            NumberSequenceSource(1, rows),
            WatermarkStrategy.no_watermarks(),
            "numbers",
            Types.LONG(),
        )
        results = BatchInference.apply(
            numbers,
            Numbers(),
            BatchInferenceOptions(
                api.address,
                batch_size=batch_size,
                max_jobs=_MAX_JOBS,
                request_url="/v1/embeddings",
                poll_interval=timedelta(seconds=max(0.2, job_seconds / 4)),
                local_dir=directory,
            ),
            output_type=Types.LONG(),
        )
        results.sink_to(discarding_sink())
        job.environment.execute("batch API")
        measured = api.measured(batch_size, rows)
        if measured.paid_rows < rows:
            raise RuntimeError(f"{rows} rows were sent, {measured.paid_rows} came")
        return measured


def dollars_per_million_rows(measured: Measured, prices: argparse.Namespace) -> float:
    row = (
        prices.input_tokens * prices.input_price + prices.output_tokens * prices.output_price
    ) / _TOKENS_OF_A_PRICE
    return 1e6 * row * (1 - prices.batch_discount) * measured.paid_rows / measured.rows


def table(runs: List[Measured], options: argparse.Namespace) -> str:
    single = (
        1e6
        * (
            options.input_tokens * options.input_price
            + options.output_tokens * options.output_price
        )
        / _TOKENS_OF_A_PRICE
    )
    lines = [
        "| batch size | rows | jobs | requests per 1,000 rows | rows/s | USD per million rows |",
        "|---|---|---|---|---|---|",
    ]
    for run in runs:
        lines.append(
            f"| {run.batch_size:,} | {run.rows:,} | {run.jobs:,} "
            f"| {1000 * run.requests / run.rows:,.1f} | {run.rows / run.seconds:,.0f} "
            f"| {dollars_per_million_rows(run, options):,.2f} |"
        )
    lines.append(f"| single calls | | | 1,000 | | {single:,.2f} |")
    lines += [
        "",
        f"A job takes {options.job_seconds:g} s, {_MAX_JOBS} are in flight, one subtask. "
        f"{options.input_tokens} tokens in and {options.output_tokens} out a row at "
        f"{options.input_price:g} and {options.output_price:g} USD per million tokens "
        f"({options.price_source}, {options.price_date}), {options.batch_discount:.0%} off in "
        "batches.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--job-seconds", type=float, default=2.0)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--batches", type=int, default=500, help="most batches of a size")
    parser.add_argument("--rows", type=int, default=200_000, help="most rows of a size")
    parser.add_argument("--input-tokens", type=int, default=200)
    parser.add_argument("--output-tokens", type=int, default=20)
    parser.add_argument("--input-price", type=float, default=0.15)
    parser.add_argument("--output-price", type=float, default=0.60)
    parser.add_argument("--batch-discount", type=float, default=0.5)
    parser.add_argument("--price-source", default="an example: gpt-4o-mini's, from others' lists")
    parser.add_argument("--price-date", default="2025-11-01")
    options = parser.parse_args()
    runs = [
        measure(size, min(size * options.batches, options.rows), options.job_seconds)
        for size in options.sizes
    ]
    print(table(runs, options))


if __name__ == "__main__":
    main()
