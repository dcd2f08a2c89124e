"""MLServer as a process of this machine, reached on loopback by gRPC and by HTTP."""

import json
import os
import pathlib
import socket
import subprocess
import time
from typing import Any, Dict, List, Optional

PYTHON = pathlib.Path(__file__).resolve().parent.parent / "target/mlserver-venv/bin/python"

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.05


class MLServer:
    """
    Serves one model. Its ports stay the same when it is started again.

    ::

        with MLServer(directory, "digits", "mlserver_sklearn.SKLearnModel", "m.joblib") as server:
            connect(server.grpc_port)

    :param directory: where the model lies; the server's settings and log are written there too.
    :param name: what the model is called.
    :param implementation: the class that runs it, of MLServer's or of a module in the directory.
    :param artifact: the model's file in the directory, for classes that read one.
    """

    def __init__(
        self,
        directory: pathlib.Path,
        name: str,
        implementation: str,
        artifact: Optional[str] = None,
    ) -> None:
        self._directory = directory
        self.grpc_port, self.http_port, self.metrics_port = _free_ports(3)
        self._process: Optional[subprocess.Popen[bytes]] = None
        parameters = {"version": "v1"}
        if artifact is not None:
            parameters["uri"] = f"./{artifact}"
        self._write(
            "model-settings.json",
            {"name": name, "implementation": implementation, "parameters": parameters},
        )
        self._write(
            "settings.json",
            {
                "host": "127.0.0.1",
                "grpc_port": self.grpc_port,
                "http_port": self.http_port,
                "metrics_port": self.metrics_port,
                # In the server's own process: one to end, and the faster one for a small model.
                "parallel_workers": 0,
                "debug": False,
                "grpc_max_message_length": 64 * 1024 * 1024,
            },
        )

    def __enter__(self) -> "MLServer":
        self.start()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self.stop()

    @property
    def log(self) -> str:
        return (self._directory / "mlserver.log").read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Returns when gRPC is served, which MLServer begins once the model is loaded."""
        with open(self._directory / "mlserver.log", "ab") as log:
            self._process = subprocess.Popen(
                [str(PYTHON.with_name("mlserver")), "start", "."],
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(self._directory)},
            )
        give_up = time.monotonic() + _START_SECONDS
        while not _accepts(self.grpc_port):
            if self._process.poll() is not None:
                raise RuntimeError(
                    f"MLServer ended, status={self._process.returncode}:\n{self.log}"
                )
            if time.monotonic() > give_up:
                self.kill()
                raise TimeoutError(f"MLServer has not begun in {_START_SECONDS:.0f} s:\n{self.log}")
            time.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """As if the machine had killed it: no request in it is answered."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def _write(self, file: str, settings: Dict[str, Any]) -> None:
        (self._directory / file).write_text(json.dumps(settings), encoding="utf-8")


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _free_ports(count: int) -> List[int]:
    """Bound together, so that they differ."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
