"""Tensors in memory that a client shares with the server."""

import contextlib
import fcntl
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Dict

import grpc
import numpy as np
import psutil
import pytest
from pyflink_async_batch._proto import open_inference_pb2 as pb
from sidecar_process import HERE, asked_sidecar, infer_request, wait_for

SHM = Path("/dev/shm")


@pytest.fixture
def name() -> Iterator[str]:
    """The name of an object that is removed at the end."""
    name = f"async-batch-test-{secrets.token_hex(8)}"
    yield name
    with contextlib.suppress(FileNotFoundError):
        (SHM / name).unlink()


def make(name: str, data: bytes, mode: int = 0o600) -> Path:
    path = SHM / name
    path.touch(0o600, exist_ok=False)
    path.write_bytes(data)
    path.chmod(mode)
    return path


def register(stub: Any, name: str, size: int, key: str = "", offset: int = 0) -> None:
    stub.SystemSharedMemoryRegister(
        pb.SystemSharedMemoryRegisterRequest(
            name=name, key=key or f"/{name}", offset=offset, byte_size=size
        )
    )


def unregister(stub: Any, name: str) -> None:
    stub.SystemSharedMemoryUnregister(pb.SystemSharedMemoryUnregisterRequest(name=name))


def regions(stub: Any) -> Dict[str, Any]:
    status = stub.SystemSharedMemoryStatus(pb.SystemSharedMemoryStatusRequest())
    return dict(status.regions)


def place(tensor: Any, region: str, offset: int, size: int) -> None:
    tensor.parameters["shared_memory_region"].string_param = region
    tensor.parameters["shared_memory_offset"].int64_param = offset
    tensor.parameters["shared_memory_byte_size"].int64_param = size


def request_of(region: str, rows: int, offset: int = 0) -> Any:
    """A request to double numbers that lie in a region."""
    request = pb.ModelInferRequest(model_name="Double")
    tensor = request.inputs.add(name="x", datatype="FP32", shape=[rows])
    place(tensor, region, offset, 4 * rows)
    return request


@contextlib.contextmanager
def refused(complaint: str, code: Any = grpc.StatusCode.INVALID_ARGUMENT) -> Iterator[None]:
    with pytest.raises(grpc.RpcError) as raised:
        yield
    assert raised.value.code() == code
    assert complaint in raised.value.details()


def test_inputs_are_read_and_outputs_written_where_they_lie(directory: Path, name: str) -> None:
    values = np.array([1, 2, 3], "<f4")
    path = make(name, b"skip" + values.tobytes() + bytes(20))
    with asked_sidecar(directory, "models:Double") as (_, stub):
        register(stub, name, 32, offset=4)
        (status,) = regions(stub).values()
        assert (status.name, status.key, status.offset, status.byte_size) == (
            name,
            f"/{name}",
            4,
            32,
        )
        request = request_of(name, 3)
        place(request.outputs.add(name="y"), name, 12, 16)
        response = stub.ModelInfer(request)
        (output,) = response.outputs
        assert list(response.raw_output_contents) == [b""]
        assert output.parameters["shared_memory_region"].string_param == name
        assert output.parameters["shared_memory_offset"].int64_param == 12
        assert output.parameters["shared_memory_byte_size"].int64_param == 12
        assert path.read_bytes()[16:28] == (2 * values).tobytes()
        # Also where the file has no name any more, as our own client leaves it.
        path.unlink()
        assert stub.ModelInfer(request_of(name, 3)).raw_output_contents[0] == (2 * values).tobytes()


def test_keys_that_are_no_private_objects_are_refused(directory: Path, name: str) -> None:
    outside = directory / "outside"
    outside.write_bytes(bytes(8))
    outside.chmod(0o600)
    with asked_sidecar(directory, "models:Double") as (_, stub):
        for key in ("", "/", "/..", "/.", f"/../..{outside}", "/a/b", "/" + 256 * "x"):
            with refused("must be the name of an object"):
                register(stub, "r", 8, key=key or "//")
        with refused("cannot be opened: ENOENT"):
            register(stub, name, 8)
        (SHM / name).symlink_to(outside)
        with refused("cannot be opened: ELOOP"):
            register(stub, name, 8)
        (SHM / name).unlink()
        os.mkfifo(SHM / name, 0o600)
        with refused("must be a regular file"):
            register(stub, name, 8)
        (SHM / name).unlink()
        path = make(name, bytes(8), mode=0o644)
        with refused("must have mode 0600, got 0644"):
            register(stub, name, 8)
        path.chmod(0o600)
        with refused("must have at least 9 bytes, got 8"):
            register(stub, name, 9)
        with refused("must have at least 12 bytes, got 8"):
            register(stub, name, 8, offset=4)
        with refused("a region must have bytes"):
            register(stub, name, 0)
        with refused("must have a name"):
            register(stub, "", 8, key=f"/{name}")
        register(stub, name, 8)
        with refused("is registered already", grpc.StatusCode.ALREADY_EXISTS):
            register(stub, name, 8)
        assert list(regions(stub)) == [name]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_an_object_of_another_user_is_refused(directory: Path, name: str) -> None:
    os.chown(make(name, bytes(8)), 65534, -1)
    with asked_sidecar(directory, "models:Double") as (_, stub), refused("must belong to the user"):
        register(stub, name, 8)


def test_places_that_are_not_within_a_region(directory: Path, name: str) -> None:
    make(name, bytes(16))
    with asked_sidecar(directory, "models:Double") as (_, stub):
        register(stub, name, 16)
        for rows, offset in ((5, 0), (1, 13), (1, 2**62), (1, -4)):
            with refused("are not within shared memory region"):
                stub.ModelInfer(request_of(name, rows, offset))
        with refused("there is no shared memory region 'other'"):
            stub.ModelInfer(request_of("other", 1))
        request = request_of(name, 2)
        request.inputs[0].parameters["shared_memory_byte_size"].int64_param = 4
        with refused("must have 8 bytes in shared memory, got 4"):
            stub.ModelInfer(request)
        request = request_of(name, 2)
        place(request.outputs.add(name="y"), name, 0, 4)
        with refused("output 'y' has 8 bytes, more than the 4"):
            stub.ModelInfer(request)
        request = request_of(name, 2)
        request.inputs[0].parameters["shared_memory_offset"].string_param = "0"
        with refused("shared_memory_offset of tensor 'x' must be an integer"):
            stub.ModelInfer(request)


def test_a_file_that_shrinks_is_an_error_and_no_crash(directory: Path, name: str) -> None:
    size = 1 << 20
    path = make(name, bytes(size))
    with asked_sidecar(directory, "models:Double", "--max-batch-size", "2048") as (_, stub):
        register(stub, name, size)
        os.truncate(path, 4096)
        with refused("has become shorter"):
            stub.ModelInfer(request_of(name, 2048))
        request = infer_request("Double", ("x", "FP32", [2], bytes(8)))
        place(request.outputs.add(name="y"), name, 8192, 8)
        with refused("has become shorter"):
            stub.ModelInfer(request)
        # What is there is read.
        assert len(stub.ModelInfer(request_of(name, 1024)).raw_output_contents[0]) == 4096


def test_a_region_may_be_unregistered_while_it_is_used(directory: Path, name: str) -> None:
    make(name, np.array([7], "<i8").tobytes() + bytes(8))
    gate, seen = directory / "gate", directory / "seen"
    arguments = ("--model-arg", f'gate="{gate}"', "--model-arg", f'seen="{seen}"')
    with asked_sidecar(directory, "models:Held", *arguments) as (server, stub):
        process = psutil.Process(server.pid)
        register(stub, name, 16)

        def is_open() -> bool:
            return any(file.path == str(SHM / name) for file in process.open_files())

        assert is_open()
        request = pb.ModelInferRequest(model_name="Held")
        place(request.inputs.add(name="x", datatype="INT64", shape=[1]), name, 0, 8)
        place(request.outputs.add(name="y"), name, 8, 8)
        running = stub.ModelInfer.future(request)
        wait_for(seen.exists)
        unregister(stub, name)
        assert regions(stub) == {}
        assert is_open()
        gate.touch()
        running.result()
        assert np.frombuffer((SHM / name).read_bytes(), "<i8").tolist() == [7, 7]
        wait_for(lambda: not is_open())


def test_all_regions_are_unregistered_at_once(directory: Path, name: str) -> None:
    make(name, bytes(8))
    with asked_sidecar(directory, "models:Double") as (_, stub):
        register(stub, "a", 8, key=f"/{name}")
        register(stub, "b", 8, key=f"/{name}")
        unregister(stub, "c")
        assert sorted(regions(stub)) == ["a", "b"]
        with refused("there is no shared memory region 'c'"):
            stub.SystemSharedMemoryStatus(pb.SystemSharedMemoryStatusRequest(name="c"))
        unregister(stub, "")
        assert regions(stub) == {}


CLIENT = """
import fcntl, sys
from sidecar_process import stub_of
from test_sidecar_shared_memory import make, register
name, endpoint = sys.argv[1:]
make(name, bytes(8))
file = open("/dev/shm/" + name, "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
with stub_of(endpoint) as stub:
    register(stub, name, 8)
    print("registered", flush=True)
    sys.stdin.read()
"""


def test_the_region_of_a_client_that_is_killed_is_gone(directory: Path, name: str) -> None:
    with asked_sidecar(directory, "models:Double") as (server, stub):
        client = subprocess.Popen(
            [sys.executable, "-c", CLIENT, name, server.endpoint],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert client.stdout is not None
            assert client.stdout.readline() == b"registered\n"
            assert list(regions(stub)) == [name]
            client.send_signal(signal.SIGKILL)
            client.wait()
            wait_for(lambda: regions(stub) == {})
        finally:
            client.kill()
            client.communicate()


def test_a_region_that_nobody_ever_locked_stays(directory: Path, name: str) -> None:
    other = f"{name}-2"
    with asked_sidecar(directory, "models:Double") as (_, stub):
        make(name, bytes(8))
        register(stub, name, 8)
        file = os.open(make(other, bytes(8)), os.O_RDWR)
        try:
            fcntl.lockf(file, fcntl.LOCK_EX)
            register(stub, other, 8)
        finally:
            (SHM / other).unlink()
            os.close(file)
        # Once the one is found abandoned, the other has been looked at as well.
        wait_for(lambda: other not in regions(stub))
        assert list(regions(stub)) == [name]
