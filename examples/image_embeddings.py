"""Turns images into embeddings in a Flink job, on Arrow's columns: no Python object for any image.

Each element is a row (id, label, 64 pixel bytes). A batch of them reaches the function as a record
batch; its pixels are one uint8 tensor of shape (rows, 8, 8) on the batch's own memory, which goes
into an ONNX model as it is, and what comes out, float32 of shape (rows, 24), becomes the column of
embeddings without a copy.

The images are scikit-learn's handwritten digits. Half of them fit the model, a principal component
analysis; how good the embeddings are is how often an image of the other half shows the same digit
as its nearest neighbour in the first.

Run it with ``make embeddings``.
"""

import argparse
import asyncio
import concurrent.futures
from typing import Any, List, Tuple

import numpy as np
import pyarrow as pa
from pyflink.common import Row, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import ArrowAsyncBatchFunction, AsyncDataStream
from pyflink_async_batch.tensors import column_of, tensor_batch

_SHAPE = (8, 8)
_BRIGHTEST = 16.0
_DIMENSIONS = 24
_IMAGE = Types.ROW_NAMED(
    ["id", "label", "pixels"], [Types.LONG(), Types.INT(), Types.PRIMITIVE_ARRAY(Types.BYTE())]
)
_EMBEDDED = Types.ROW_NAMED(
    ["id", "label", "embedding"], [Types.LONG(), Types.INT(), Types.PRIMITIVE_ARRAY(Types.FLOAT())]
)


class EmbedImages(ArrowAsyncBatchFunction):
    """
    Embeds a batch of images in one call of the model, off the event loop.

    :param model: the bytes of the ONNX model
    """

    def __init__(self, model: bytes) -> None:
        self._model = model

    def open(self, runtime_context: Any) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            self._model, options, providers=["CPUExecutionProvider"]
        )
        self._threads = concurrent.futures.ThreadPoolExecutor(max_workers=1)

    async def async_invoke_batch(self, inputs: pa.RecordBatch) -> pa.RecordBatch:
        images = tensor_batch(inputs.column("pixels"), _SHAPE)
        loop = asyncio.get_running_loop()
        embeddings = await loop.run_in_executor(self._threads, self._embed, images)
        return pa.RecordBatch.from_arrays(
            [inputs.column("id"), inputs.column("label"), column_of(embeddings)],
            names=["id", "label", "embedding"],
        )

    def _embed(self, images: Any) -> Any:
        return self._session.run(None, {"images": images})[0]

    def close(self) -> None:
        self._threads.shutdown()


def fit_model(images: Any) -> bytes:
    """
    :param images: uint8 of shape (rows, 8, 8).
    :return: An ONNX model that takes such images and returns float32 of shape (rows, 24).
    """
    from onnx import TensorProto, checker, helper, numpy_helper
    from sklearn.decomposition import PCA

    pixels = images.reshape(len(images), -1).astype(np.float32) / _BRIGHTEST
    analysis = PCA(_DIMENSIONS, random_state=7).fit(pixels)
    weights = (analysis.components_.T / _BRIGHTEST).astype(np.float32)
    bias = (-analysis.mean_ @ analysis.components_.T).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Flatten", ["images"], ["pixels"]),
            helper.make_node("Cast", ["pixels"], ["numbers"], to=TensorProto.FLOAT),
            helper.make_node("Gemm", ["numbers", "weights", "bias"], ["embeddings"]),
        ],
        "image embeddings",
        [helper.make_tensor_value_info("images", TensorProto.UINT8, ["rows", *_SHAPE])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["rows", _DIMENSIONS])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    # What every onnxruntime of the last years runs.
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return bytes(model.SerializeToString())


def embed(images: Any, labels: Any, model: bytes, batch_size: int) -> List[Tuple[int, int, Any]]:
    """Runs the job. Returns (id, label, embedding) of each image, in any order."""
    environment = StreamExecutionEnvironment.get_execution_environment()
    environment.set_parallelism(1)
    rows = [
        Row(i, int(label), image.tobytes()) for i, (image, label) in enumerate(zip(images, labels))
    ]
    embedded = AsyncDataStream.unordered_wait_batch(
        environment.from_collection(rows, _IMAGE),
        EmbedImages(model),
        timeout=Time.seconds(30),
        batch_size=batch_size,
        batch_timeout=Time.milliseconds(100),
        output_type=_EMBEDDED,
    )
    with embedded.execute_and_collect("image embeddings") as results:
        return [(row[0], row[1], row[2]) for row in results]


def neighbour_accuracy(results: List[Tuple[int, int, Any]], known: Any) -> float:
    """
    :param known: Whether an image, by its id, was there when the model was fitted.
    :return: The share of the other images whose nearest known one shows the same digit.
    """
    ids = np.array([result[0] for result in results])
    labels = np.array([result[1] for result in results])
    embeddings = np.array([result[2] for result in results], np.float32)
    near, far = known[ids], ~known[ids]
    distances = ((embeddings[far][:, None] - embeddings[near][None]) ** 2).sum(axis=2)
    return float((labels[near][distances.argmin(axis=1)] == labels[far]).mean())


def run(batch_size: int) -> float:
    """Fits the model, runs the job, and returns the accuracy of its embeddings."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = digits.images.astype(np.uint8)
    known = np.random.default_rng(7).permutation(len(images)) < len(images) // 2
    results = embed(images, digits.target, fit_model(images[known]), batch_size)
    if sorted(result[0] for result in results) != list(range(len(images))):
        raise RuntimeError(f"{len(images)} images in, {len(results)} results out")
    return neighbour_accuracy(results, known)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch-size", type=int, default=256)
    accuracy = run(parser.parse_args().batch_size)
    print(f"{accuracy:.2%} of unseen images have a nearest neighbour of the same digit")


if __name__ == "__main__":
    main()
