"""
What Triton's own client asks of a server: ``python triton_checks.py CHECK ENDPOINT [ARGUMENTS]``.

Runs in an environment of its own, as tritonclient wants a gRPC and a protobuf that PyFlink does not
take. Ends with a traceback if something is not as it should be.
"""

import secrets
import sys
import threading
from typing import Any, Dict, List

import ml_dtypes
import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException, shared_memory

DTYPES = {
    "BOOL": "?",
    "INT8": "i1",
    "INT16": "i2",
    "INT32": "i4",
    "INT64": "i8",
    "UINT8": "u1",
    "UINT16": "u2",
    "UINT32": "u4",
    "UINT64": "u8",
    "FP16": "f2",
    "BF16": ml_dtypes.bfloat16,
    "FP32": "f4",
    "FP64": "f8",
    "BYTES": "O",
}


def tensor_of(name: str, datatype: str, values: Any) -> Any:
    tensor = triton.InferInput(name, values.shape, datatype)
    tensor.set_data_from_numpy(values)
    return tensor


def health_and_metadata(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("Columns")
    assert not client.is_model_ready("Other")
    assert client.get_server_metadata().extensions == ["system_shared_memory"]
    metadata = client.get_model_metadata("Columns", as_json=True)
    vector = {"name": "vector", "datatype": "INT32", "shape": ["-1", "-1"]}
    assert metadata["inputs"][1] == vector


def several_tensors(client: Any) -> None:
    tensors = [
        tensor_of("name", "BYTES", np.array(["a", "ä"], object)),
        tensor_of("vector", "INT32", np.array([[1, 2], [3, 4]], np.int32)),
        tensor_of("flag", "BOOL", np.array([True, False])),
    ]
    result = client.infer("Columns", tensors, request_id="q", parameters={"client_id": "c"})
    assert result.get_response().id == "q"
    assert [text.decode() for text in result.as_numpy("text")] == ["a:True", "ä:False"]
    assert result.as_numpy("sum").tolist() == [3, 7]
    only = client.infer("Columns", tensors, outputs=[triton.InferRequestedOutput("sum")])
    assert only.as_numpy("sum").tolist() == [3, 7]
    assert only.as_numpy("text") is None


def every_type(client: Any, model: str) -> None:
    generator = np.random.default_rng(3)
    sent: Dict[str, Any] = {}
    tensors: List[Any] = []
    for datatype, dtype in DTYPES.items():
        for name, shape in ((f"{datatype}-1", (5,)), (f"{datatype}-3", (5, 2, 2))):
            values = generator.integers(0, 2 if dtype == "?" else 100, shape)
            array = values.astype(dtype)
            if dtype == "O":
                array = np.array([b"x" * int(value) for value in values.flat], object)
                array = array.reshape(shape)
            sent[name] = array
            tensors.append(tensor_of(name, datatype, array))
    result = client.infer(model, tensors)
    for name, array in sent.items():
        np.testing.assert_array_equal(result.as_numpy(name), array, name)


def _refusal(call: Any) -> Any:
    try:
        call()
    except InferenceServerException as error:
        return error
    raise AssertionError("it was not refused")


def errors(client: Any) -> None:
    unknown = _refusal(lambda: client.get_model_metadata("Other"))
    assert unknown.status() == "StatusCode.NOT_FOUND"
    assert "there is no model 'Other'" in unknown.message()
    tensor = tensor_of("x", "FP32", np.zeros((1, 1), np.float32))
    assert "shape [-1]" in _refusal(lambda: client.infer("Double", [tensor])).message()


def many_at_a_time(client: Any) -> None:
    count = 200
    answers: Dict[int, Any] = {}
    done = threading.Semaphore(0)

    def keep(index: int) -> Any:
        def callback(result: Any, error: Any) -> None:
            answers[index] = error or result.as_numpy("y").tolist()
            done.release()

        return callback

    for index in range(count):
        tensor = tensor_of("x", "FP32", np.array([index, -index], np.float32))
        client.async_infer("Double", [tensor], keep(index))
    for _ in range(count):
        assert done.acquire(timeout=60)
    assert answers == {index: [2 * index, -2 * index] for index in range(count)}


def memory(client: Any) -> None:
    name = f"async-batch-test-{secrets.token_hex(8)}"
    handle = shared_memory.create_shared_memory_region(name, f"/{name}", 64)
    try:
        values = np.array([1, 2, 3, 4], np.float32)
        shared_memory.set_shared_memory_region(handle, [values])
        client.register_system_shared_memory(name, f"/{name}", 64)
        status = client.get_system_shared_memory_status(as_json=True)
        assert status["regions"][name]["byte_size"] == "64"
        tensor = triton.InferInput("x", [4], "FP32")
        tensor.set_shared_memory(name, 16)
        output = triton.InferRequestedOutput("y")
        output.set_shared_memory(name, 16, offset=32)
        result = client.infer("Double", [tensor], outputs=[output])
        assert result.get_output("y").parameters["shared_memory_region"].string_param == name
        doubled = shared_memory.get_contents_as_numpy(handle, np.float32, [4], offset=32)
        np.testing.assert_array_equal(doubled, 2 * values)
        client.unregister_system_shared_memory()
        assert "regions" not in client.get_system_shared_memory_status(as_json=True)
    finally:
        shared_memory.destroy_shared_memory_region(handle)


if __name__ == "__main__":
    check, endpoint, *arguments = sys.argv[1:]
    with triton.InferenceServerClient(endpoint) as client:
        globals()[check](client, *arguments)
