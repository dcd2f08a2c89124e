"""Classifies handwritten digits in a Flink job: batched, and beside it one record at a time.

Every image is a row (id, label, 64 pixel bytes) that a Java source reads from a file, goes through
the same ONNX model in Python, and leaves as (id, label, digit) to a file sink in Java; only the
call in between differs. The source alone does several hundred thousand rows per second, so it holds
neither contender back.

How it measures: the function notes on the machine's monotonic clock when each call began and ended.
Rows per second are those of the steady part, from 20 % to 90 % of the rows by the time their call
ended, so starting the cluster and the worker and winding down count for neither contender. Accuracy
and completeness are read from what the sink wrote; accuracy counts only images that the model was
not trained on.

Run it with ``make demo``, or ``.venv/bin/python examples/digits.py`` once that has set it up.
"""

import argparse
import asyncio
import base64
import concurrent.futures
import dataclasses
import json
import os
import pathlib
import re
import shutil
import sys
import threading
import time
import uuid
from typing import Any, Callable, List, Tuple

import numpy as np
from pyflink.common import Encoder, Row, Time, Types
from pyflink.datastream import AsyncDataStream as StockAsyncDataStream
from pyflink.datastream import AsyncFunction, DataStream, StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSink
from pyflink.table import StreamTableEnvironment
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_TARGET = _ROOT / "target"
_PREPARED = _TARGET / "digits"
_IMAGE = Types.ROW_NAMED(
    ["id", "label", "pixels"], [Types.LONG(), Types.INT(), Types.PRIMITIVE_ARRAY(Types.BYTE())]
)
_READ_AS = Types.ROW_NAMED(["id", "label", "digit"], [Types.LONG(), Types.INT(), Types.INT()])
_WRITTEN = re.compile(r"\[(\d+), (\d+), (\d+)\]")
_STEADY = (0.2, 0.9)
_BRIGHTEST = 16.0


class DigitModel:
    """The ONNX model, run off the event loop: inference is CPU work and would block it."""

    def __init__(self, path: pathlib.Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name
        self._threads = concurrent.futures.ThreadPoolExecutor(max_workers=1)

    async def read(self, images: List[bytes]) -> List[int]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._infer, images)

    def _infer(self, images: List[bytes]) -> List[int]:
        pixels = np.frombuffer(b"".join(images), np.uint8).reshape(len(images), -1)
        scaled = pixels.astype(np.float32) / _BRIGHTEST
        digits: List[int] = self._session.run(None, {self._input: scaled})[0].tolist()
        return digits

    def close(self) -> None:
        self._threads.shutdown()


class Journal:
    """A worker's notes: one line (rows, begin, end in nanoseconds) per call."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._file = open(directory / f"{uuid.uuid4()}.calls", "a", buffering=1)  # noqa: SIM115

    def note(self, rows: int, began: int) -> None:
        self._file.write(f"{rows} {began} {time.monotonic_ns()}\n")

    def close(self) -> None:
        self._file.close()


class ReadDigits(AsyncBatchFunction):
    """Reads a batch of images in one call of the model."""

    def __init__(self, model: pathlib.Path, journal: pathlib.Path) -> None:
        self._model_path = model
        self._journal_path = journal

    def open(self, runtime_context: Any) -> None:
        self._model = DigitModel(self._model_path)
        self._journal = Journal(self._journal_path)

    async def async_invoke_batch(self, inputs: List[Row]) -> List[Row]:
        began = time.monotonic_ns()
        digits = await self._model.read([image[2] for image in inputs])
        results = [Row(image[0], image[1], digit) for image, digit in zip(inputs, digits)]
        self._journal.note(len(inputs), began)
        return results

    def close(self) -> None:
        self._model.close()
        self._journal.close()


class ReadDigit(AsyncFunction):
    """The same for one image, as PyFlink's own per-record call has it.

    Running so small a call on the loop instead of beside it makes it no faster: tried, same rate.
    """

    def __init__(self, model: pathlib.Path, journal: pathlib.Path) -> None:
        self._model_path = model
        self._journal_path = journal

    def open(self, runtime_context: Any) -> None:
        self._model = DigitModel(self._model_path)
        self._journal = Journal(self._journal_path)

    async def async_invoke(self, value: Row) -> List[Row]:
        began = time.monotonic_ns()
        digits = await self._model.read([value[2]])
        self._journal.note(1, began)
        return [Row(value[0], value[1], digits[0])]

    def close(self) -> None:
        self._model.close()
        self._journal.close()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one job did."""

    accuracy: float
    rows_per_s: float
    batches: int
    mean_batch_size: float
    p50_ms: float
    p99_ms: float


class Contender:
    """One job: its images, its journal and its output live in a directory of their own."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._directory = _TARGET / "demo" / name
        self.journal = self._directory / "calls"
        shutil.rmtree(self._directory, ignore_errors=True)
        self.journal.mkdir(parents=True)

    def run(self, call: Callable[[DataStream], DataStream]) -> Outcome:
        """Runs the job with ``call`` between source and sink, showing how far it is."""
        images = self._directory / "images.csv"
        _write_images(images, self._count)
        environment = StreamExecutionEnvironment.get_execution_environment()
        environment.set_parallelism(1)
        call(_image_stream(environment, images)).sink_to(
            FileSink.for_row_format(
                str(self._directory / "digits"), Encoder.simple_string_encoder()
            ).build()
        )
        with Progress(self._name, self._count, self.journal):
            environment.execute(f"digits: {self._name}")
        return self._outcome()

    def _outcome(self) -> Outcome:
        calls = np.array(_calls(self.journal))
        rows, began, ended = calls[np.argsort(calls[:, 2])].T
        milliseconds = (ended - began) / 1e6
        return Outcome(
            accuracy=self._accuracy(),
            rows_per_s=_steady_rate(rows, ended),
            batches=len(rows),
            mean_batch_size=float(rows.mean()),
            p50_ms=float(np.percentile(milliseconds, 50)),
            p99_ms=float(np.percentile(milliseconds, 99)),
        )

    def _accuracy(self) -> float:
        written = np.array(
            [
                [int(field) for field in found.groups()]
                for part in (self._directory / "digits").rglob("part-*")
                for found in _WRITTEN.finditer(part.read_text(encoding="utf-8"))
            ]
        )
        if not np.array_equal(np.sort(written[:, 0]), np.arange(self._count)):
            raise RuntimeError(
                f"{self._name}: {self._count} images in, {len(written)} results out, "
                f"{len(np.unique(written[:, 0]))} of them distinct"
            )
        held_out = json.loads((_PREPARED / "held_out.json").read_text())
        unseen = written[np.isin(written[:, 0] % _image_count(), held_out)]
        return float((unseen[:, 1] == unseen[:, 2]).mean())


class Progress:
    """Prints how many rows have been through the model, while the job runs."""

    def __init__(self, name: str, count: int, journal: pathlib.Path) -> None:
        self._name = name
        self._count = count
        self._journal = journal
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._show, name="progress", daemon=True)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._finished.set()
        self._thread.join()

    def _show(self) -> None:
        began = time.monotonic()
        on_terminal = sys.stdout.isatty()
        while True:
            finished = self._finished.wait(0.5 if on_terminal else 2.0)
            rows = sum(call[0] for call in _calls(self._journal))
            line = (
                f"{self._name:>8}  {time.monotonic() - began:5.1f} s  "
                f"{rows:>9,} of {self._count:,} images ({rows / self._count:.0%})"
            )
            print(line, end="\r" if on_terminal and not finished else "\n", flush=True)
            if finished:
                return


def _write_images(path: pathlib.Path, count: int) -> None:
    """Writes ``count`` rows, going through the 1,797 images again and again."""
    prepared = np.load(_PREPARED / "images.npz")
    lines = [
        f"{label},{base64.b64encode(image.tobytes()).decode('ascii')}\n"
        for image, label in zip(prepared["pixels"], prepared["labels"])
    ]
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{row},{lines[row % len(lines)]}" for row in range(count))


def _image_count() -> int:
    return len(np.load(_PREPARED / "images.npz")["labels"])


def _image_stream(environment: StreamExecutionEnvironment, path: pathlib.Path) -> DataStream:
    tables = StreamTableEnvironment.create(environment)
    tables.execute_sql(
        "CREATE TEMPORARY TABLE images (id BIGINT, label INT, pixels BYTES) WITH ("
        f"'connector' = 'filesystem', 'path' = 'file://{path}', 'format' = 'csv')"
    )
    return tables.to_append_stream(tables.from_path("images"), _IMAGE)


def _calls(journal: pathlib.Path) -> List[Tuple[int, int, int]]:
    calls = []
    for notes in journal.glob("*.calls"):
        for line in notes.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                rows, began, ended = line.split()
                calls.append((int(rows), int(began), int(ended)))
    return calls


def _steady_rate(rows: Any, ended: Any) -> float:
    """Rows per second between two shares of the rows, in the order in which their calls ended."""
    done = np.cumsum(rows)
    first, last = (int(np.searchsorted(done, share * done[-1])) for share in _STEADY)
    return float((done[last] - done[first]) / (ended[last] - ended[first]) * 1e9)


def _batched(arguments: argparse.Namespace) -> Outcome:
    contender = Contender("batched", arguments.count)
    function = ReadDigits(_PREPARED / "model.onnx", contender.journal)
    return contender.run(
        lambda images: AsyncDataStream.unordered_wait_batch(
            images,
            function,
            timeout=Time.seconds(30),
            batch_size=arguments.batch_size,
            batch_timeout=Time.milliseconds(100),
            capacity=arguments.capacity,
            output_type=_READ_AS,
        )
    )


def _stock(arguments: argparse.Namespace) -> Outcome:
    # As on a cluster: the worker is a process of its own, and its Python is this one's.
    os.environ["_python_worker_execution_mode"] = "process"  # noqa: SIM112
    contender = Contender("stock", arguments.stock_count)
    function = ReadDigit(_PREPARED / "model.onnx", contender.journal)

    def call(images: DataStream) -> DataStream:
        images.get_execution_environment().set_python_executable(sys.executable)
        return StockAsyncDataStream.unordered_wait(
            images, function, Time.seconds(30), capacity=1000, output_type=_READ_AS
        )

    return contender.run(call)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="images for the batched job")
    parser.add_argument("--stock-count", type=int, default=20_000, help="images one by one")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--capacity", type=int, default=4, help="batches in flight")
    arguments = parser.parse_args()
    if not (_PREPARED / "model.onnx").exists():
        parser.error("the model is not there yet: run 'make demo', or examples/train_digits.py")
    batched = _batched(arguments)
    stock = _stock(arguments)
    ratio = batched.rows_per_s / stock.rows_per_s
    print(
        f"\n{'':>24}{'batched':>12}{'stock':>12}\n"
        f"{'accuracy, unseen images':>24}{batched.accuracy:>12.4f}{stock.accuracy:>12.4f}\n"
        f"{'rows/s, steady':>24}{batched.rows_per_s:>12,.0f}{stock.rows_per_s:>12,.0f}\n"
        f"{'calls of the model':>24}{batched.batches:>12,}{stock.batches:>12,}\n"
        f"{'mean batch size':>24}{batched.mean_batch_size:>12.1f}{stock.mean_batch_size:>12.1f}\n"
        f"{'p50 latency of a call':>24}{batched.p50_ms:>9.2f} ms{stock.p50_ms:>9.2f} ms\n"
        f"{'p99 latency of a call':>24}{batched.p99_ms:>9.2f} ms{stock.p99_ms:>9.2f} ms\n\n"
        f"batched is {ratio:,.1f} times as fast as stock PyFlink, one by one"
    )
    figures = {
        "accuracy": batched.accuracy,
        "rows_per_s": batched.rows_per_s,
        "stock_rows_per_s": stock.rows_per_s,
        "ratio": ratio,
        "p50_ms": batched.p50_ms,
        "p99_ms": batched.p99_ms,
    }
    (_TARGET / "demo.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
