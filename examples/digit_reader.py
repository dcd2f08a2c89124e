"""The model that the sidecar examples have served: handwritten digits, read by an ONNX network.

A class like any other batched function; what makes a model of it is that it names its tensors. See
``image_sidecar.py`` for how it is started.
"""

import asyncio
from typing import Any

import numpy as np
from pyflink_async_batch import ArrowAsyncBatchFunction
from pyflink_async_batch.sidecar import TensorSpec
from pyflink_async_batch.tensors import tensor_batch

_BRIGHTEST = 16.0


class ReadDigits(ArrowAsyncBatchFunction):
    """
    Reads a batch of images in one call of the network, off the event loop.

    :param model: path of what ``train_digits.py`` wrote
    """

    inputs = {"pixels": TensorSpec("UINT8", (-1, 8, 8))}
    outputs = {"digit": TensorSpec("INT64", (-1,))}

    def __init__(self, model: str) -> None:
        self._model = model

    def open(self, runtime_context: Any) -> None:
        import onnxruntime

        self._session = onnxruntime.InferenceSession(
            self._model, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    async def async_invoke_batch(self, inputs: Any) -> Any:
        images = tensor_batch(inputs, (64,))
        return await asyncio.to_thread(self._read, images)

    def _read(self, images: Any) -> Any:
        scaled = images.astype(np.float32) / _BRIGHTEST
        return self._session.run(None, {self._input: scaled})[0]
