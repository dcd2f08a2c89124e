"""Functions that the tests host. Named on the command line as ``models:Class``."""

import asyncio
import builtins
import time
from pathlib import Path
from typing import Any, List

import numpy as np
import pyarrow as pa
from pyflink.common import Row
from pyflink_async_batch import (
    ArrowAsyncBatchFunction,
    AsyncBatchFunction,
    BatchTooLarge,
    ColumnResults,
    RetryLater,
    RowFailure,
)
from pyflink_async_batch.sidecar import TensorSpec
from pyflink_async_batch.tensors import tensor_batch


class Double(AsyncBatchFunction):
    """Numbers, doubled."""

    inputs = {"x": TensorSpec("FP32", (-1,))}
    outputs = {"y": TensorSpec("FP32", (-1,))}

    async def async_invoke_batch(self, inputs: List[float]) -> List[float]:
        return [2 * x for x in inputs]


class BatchSize(AsyncBatchFunction):
    """Each row's answer is how many rows its batch had."""

    inputs = {"x": TensorSpec("INT64", (-1,))}
    outputs = {"rows": TensorSpec("INT64", (-1,))}

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
        await asyncio.sleep(self._seconds)
        return [len(inputs)] * len(inputs)


class Normalize(ArrowAsyncBatchFunction):
    """Images less their means."""

    inputs = {"image": TensorSpec("FP32", (-1, 3, 4, 4))}
    outputs = {"normal": TensorSpec("FP32", (-1, 3, 4, 4))}

    async def async_invoke_batch(self, inputs: Any) -> Any:
        images = tensor_batch(inputs, (3, 4, 4))
        return images - images.mean(axis=(1, 2, 3), keepdims=True)


class Describe(AsyncBatchFunction):
    """Rows of several tensors in, rows of several out."""

    inputs = {
        "name": TensorSpec("BYTES", (-1,), text=True),
        "vector": TensorSpec("INT32", (-1, -1)),
        "flag": TensorSpec("BOOL", (-1,)),
    }
    outputs = {
        "text": TensorSpec("BYTES", (-1,), text=True),
        "sum": TensorSpec("INT64", (-1,)),
    }

    async def async_invoke_batch(self, inputs: List[Row]) -> List[Row]:
        return [Row(text=f"{row.name}:{row.flag}", sum=int(np.sum(row.vector))) for row in inputs]


class Columns(ArrowAsyncBatchFunction):
    """As :class:`Describe`, on columns."""

    inputs = Describe.inputs
    outputs = Describe.outputs

    async def async_invoke_batch(self, inputs: Any) -> Any:
        flags = inputs.column("flag").to_pylist()
        texts = [f"{name}:{flag}" for name, flag in zip(inputs.column("name").to_pylist(), flags)]
        sums = [sum(vector) for vector in inputs.column("vector").to_pylist()]
        return pa.RecordBatch.from_pydict({"sum": sums, "text": texts})


class OneInteger(AsyncBatchFunction):
    """What the others begin with."""

    inputs = {"x": TensorSpec("INT64", (-1,))}
    outputs = {"y": TensorSpec("INT64", (-1,))}

    async def async_invoke_batch(self, inputs: List[int]) -> Any:
        return inputs


class Raises(OneInteger):
    """Raises what it is told to."""

    def __init__(self, error: str) -> None:
        self._error = globals().get(error) or getattr(builtins, error)

    async def async_invoke_batch(self, inputs: List[int]) -> Any:
        raise self._error("boom \N{SNOWMAN} " * 1000)


class Returns(OneInteger):
    """Returns what it is told to, a Python expression."""

    def __init__(self, results: str) -> None:
        self._results = eval(results)

    async def async_invoke_batch(self, inputs: List[int]) -> Any:
        return self._results


class Slow(OneInteger):
    """Is open once a file is there."""

    def __init__(self, gate: str) -> None:
        self._gate = Path(gate)

    def open(self, runtime_context: Any) -> None:
        asyncio.get_running_loop()
        while not self._gate.exists():
            time.sleep(0.005)


class Busy(OneInteger):
    """Has too much to do."""

    async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
        raise RetryLater(2.5, "busy")


class FailsToOpen(OneInteger):
    """Has something missing."""

    def open(self, runtime_context: Any) -> None:
        raise FileNotFoundError("no weights")


class Held(OneInteger):
    """Writes down the sizes of its batches, and answers once a file is there."""

    def __init__(self, gate: str, seen: str, blocks: bool = False) -> None:
        self._gate = Path(gate)
        self._seen = Path(seen)
        self._blocks = blocks

    async def async_invoke_batch(self, inputs: List[int]) -> Any:
        self._note(len(inputs))
        try:
            while not self._gate.exists():
                if self._blocks:
                    time.sleep(0.005)
                else:
                    await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self._note("cancelled")
            raise
        return inputs

    def close(self) -> None:
        self._note("closed")

    def _note(self, what: Any) -> None:
        with self._seen.open("a") as file:
            file.write(f"{what}\n")


class EndsItsLoop(OneInteger):
    """Starts a task that ends the event loop."""

    async def async_invoke_batch(self, inputs: List[int]) -> Any:
        async def leave() -> None:
            raise SystemExit(5)

        self._task = asyncio.ensure_future(leave())
        await asyncio.get_running_loop().create_future()


class Counts(OneInteger):
    """Has metrics of its own."""

    def open(self, runtime_context: Any) -> None:
        group = runtime_context.get_metrics_group().add_group("my-group")
        self._rows = group.counter("rows")
        self._events = group.meter("events")
        self._sizes = group.distribution("sizes")
        group.gauge("answer", lambda: 42)
        group.gauge("broken", lambda: 1 // 0)
        self._factor = int(runtime_context.get_job_parameter("factor", "1"))

    async def async_invoke_batch(self, inputs: List[int]) -> Any:
        self._rows.inc(len(inputs))
        self._events.mark_event(len(inputs))
        self._sizes.update(len(inputs))
        return [self._factor * x for x in inputs]


class OutOfMemoryError(RuntimeError):
    """Called as torch's."""


CancelledError = asyncio.CancelledError


class NoNegatives(AsyncBatchFunction):
    """Square roots, of 99 numbers at most."""

    inputs = {"x": TensorSpec("FP32", (-1,))}
    outputs = {"y": TensorSpec("FP32", (-1,))}

    async def async_invoke_batch(self, inputs: List[float]) -> List[Any]:
        if len(inputs) > 99:
            raise BatchTooLarge(f"{len(inputs)} rows")
        return [x**0.5 if x >= 0 else RowFailure(f"{x} is negative") for x in inputs]


class NoNegativeColumns(ArrowAsyncBatchFunction):
    """As :class:`NoNegatives`, on columns."""

    inputs = NoNegatives.inputs
    outputs = NoNegatives.outputs

    async def async_invoke_batch(self, inputs: Any) -> Any:
        numbers = inputs.to_numpy()
        bad = {row: ValueError(f"{x} is negative") for row, x in enumerate(numbers) if x < 0}
        return ColumnResults(np.sqrt(np.abs(numbers)), bad)


class YieldsRows(AsyncBatchFunction):
    """Yields its rows."""

    inputs = {"x": TensorSpec("FP32", (-1,))}
    outputs = {"y": TensorSpec("FP32", (-1,))}

    async def async_invoke_batch(self, inputs: List[float]) -> Any:
        for index, value in enumerate(inputs):
            yield index, value


class Undeclared(AsyncBatchFunction):
    """Says nothing of its tensors."""

    async def async_invoke_batch(self, inputs: List[Any]) -> Any:
        return inputs


class RowIdentity(AsyncBatchFunction):
    """Returns its rows."""

    async def async_invoke_batch(self, inputs: List[Row]) -> List[Row]:
        return inputs


class ColumnIdentity(ArrowAsyncBatchFunction):
    """Returns its columns."""

    async def async_invoke_batch(self, inputs: Any) -> Any:
        return inputs
