"""Functions that the tests host. Named on the command line as ``models:Class``."""

import asyncio
import builtins
from typing import Any, List

import numpy as np
import pyarrow as pa
from pyflink.common import Row
from pyflink_async_batch import ArrowAsyncBatchFunction, AsyncBatchFunction
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


class Raises(AsyncBatchFunction):
    """Raises what it is told to."""

    inputs = {"x": TensorSpec("INT64", (-1,))}
    outputs = {"y": TensorSpec("INT64", (-1,))}

    def __init__(self, error: str, message: str = "boom") -> None:
        self._error = globals().get(error) or getattr(builtins, error)
        self._message = message

    async def async_invoke_batch(self, inputs: List[int]) -> List[int]:
        raise self._error(self._message)


class OutOfMemoryError(RuntimeError):
    """Called as torch's."""
