"""A server as its users start it: a process of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional, Sequence

import grpc
from pyflink_async_batch._proto import open_inference_pb2 as pb

HERE = Path(__file__).parent
DEADLINE_SECONDS = 60.0


def wait_for(condition: Callable[[], Any], seconds: float = DEADLINE_SECONDS) -> Any:
    """Returns what the condition returns once that is true."""
    end = time.monotonic() + seconds
    pause = 0.001
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, "the condition did not become true in time"
        # Between looks at a condition; nothing depends on how long.
        time.sleep(pause)
        pause = min(2 * pause, 0.05)


class SidecarProcess:
    """
    :param endpoint: the first of the endpoints among the arguments.
    :param arguments: of the command line.
    :param program: what Python runs.
    """

    def __init__(
        self,
        endpoint: str,
        arguments: Sequence[str],
        log: Path,
        cwd: Path,
        program: Sequence[str] = ("-m", "pyflink_async_batch.sidecar"),
    ) -> None:
        self.endpoint = endpoint
        self.log_path = log
        with open(log, "wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, *program, *arguments],
                stderr=file,
                stdout=file,
                cwd=cwd,
                env={**os.environ, "PYTHONPATH": str(HERE)},
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def log_line(self, part: str) -> str:
        """The first line of the log with that part, once there is one."""

        def find() -> Optional[str]:
            assert self.process.poll() is None, self.log
            return next((line for line in self.log.splitlines() if part in line), None)

        return str(wait_for(find))

    def listens(self) -> "SidecarProcess":
        """Returns once it answers."""
        self.log_line("Listening at")
        return self

    def ready(self) -> "SidecarProcess":
        """Returns once its model is open."""
        self.log_line("is ready")
        return self

    def end(self, number: int = signal.SIGTERM) -> int:
        """Sends a signal and returns the exit status."""
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_SECONDS)

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE_SECONDS)


@contextlib.contextmanager
def sidecar(
    directory: Path,
    model: str,
    *arguments: str,
    cwd: Path = HERE,
    faults: Optional[Sequence[str]] = None,
) -> Iterator[SidecarProcess]:
    """
    A server that listens at ``DIRECTORY/s``; killed at the end if it still runs.

    :param faults: makes it the one with faults.
    """
    endpoint = f"unix://{directory}/s"
    program: List[str] = ["-m", "pyflink_async_batch.sidecar"]
    if faults is not None:
        program = [str(HERE / "faults.py")]
        program += [word for fault in faults for word in ("--fault", fault)] + ["--"]
    running = SidecarProcess(
        endpoint,
        ["--model", model, "--endpoint", endpoint, *arguments],
        directory / "sidecar.log",
        cwd,
        program,
    )
    try:
        yield running
    finally:
        running.kill()


_METHODS = {
    "ServerLive": (pb.ServerLiveRequest, pb.ServerLiveResponse),
    "ServerReady": (pb.ServerReadyRequest, pb.ServerReadyResponse),
    "ModelReady": (pb.ModelReadyRequest, pb.ModelReadyResponse),
    "ServerMetadata": (pb.ServerMetadataRequest, pb.ServerMetadataResponse),
    "ModelMetadata": (pb.ModelMetadataRequest, pb.ModelMetadataResponse),
    "ModelInfer": (pb.ModelInferRequest, pb.ModelInferResponse),
    "SystemSharedMemoryStatus": (
        pb.SystemSharedMemoryStatusRequest,
        pb.SystemSharedMemoryStatusResponse,
    ),
    "SystemSharedMemoryRegister": (
        pb.SystemSharedMemoryRegisterRequest,
        pb.SystemSharedMemoryRegisterResponse,
    ),
    "SystemSharedMemoryUnregister": (
        pb.SystemSharedMemoryUnregisterRequest,
        pb.SystemSharedMemoryUnregisterResponse,
    ),
}


class Stub:
    """The protocol's methods by their names; works on blocking and on asyncio's channels."""

    def __init__(self, channel: Any) -> None:
        for name, (request, response) in _METHODS.items():
            call = channel.unary_unary(
                f"/inference.GRPCInferenceService/{name}",
                request_serializer=request.SerializeToString,
                response_deserializer=response.FromString,
            )
            setattr(self, name, call)


@contextlib.contextmanager
def stub_of(endpoint: str) -> Iterator[Any]:
    """A blocking stub; a channel of its own, so that each is a client of its own to gRPC."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(endpoint, options=options) as channel:
        yield Stub(channel)


@contextlib.contextmanager
def asked_sidecar(directory: Path, model: str, *arguments: str, **others: Any) -> Iterator[Any]:
    """A server whose model is open, and a stub for it; the arguments are those of a sidecar."""
    server_context = sidecar(directory, model, *arguments, **others)
    with server_context as server, stub_of(server.ready().endpoint) as stub:
        yield server, stub


def infer_request(model: str, *tensors: Any, **fields: Any) -> Any:
    """
    :param tensors: (name, datatype, shape, raw contents).
    """
    request = pb.ModelInferRequest(model_name=model, **fields)
    for name, datatype, shape, data in tensors:
        request.inputs.add(name=name, datatype=datatype, shape=shape)
        request.raw_input_contents.append(data)
    return request


def as_bytes(elements: List[bytes]) -> bytes:
    """Elements of BYTES as they travel."""
    return b"".join(len(element).to_bytes(4, "little") + element for element in elements)
