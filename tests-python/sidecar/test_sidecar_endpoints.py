"""Where the server listens, who may ask it, and how it ends."""

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, List

import grpc
import numpy as np
import psutil
import pytest
from pyflink_async_batch._proto import open_inference_pb2 as pb
from sidecar_process import Stub, asked_sidecar, infer_request, sidecar, stub_of, wait_for

ONE = np.array([1], "<i8").tobytes()
HELD = infer_request("Held", ("x", "INT64", [1], ONE))


def held(directory: Path) -> List[str]:
    gate, seen = directory / "gate", directory / "seen"
    return ["models:Held", "--model-arg", f'gate="{gate}"', "--model-arg", f'seen="{seen}"']


def is_live(channel: Any, **options: Any) -> bool:
    with channel:
        return bool(Stub(channel).ServerLive(pb.ServerLiveRequest(), **options).live)


def status_of(channel: Any, **options: Any) -> Any:
    with pytest.raises(grpc.RpcError) as raised:
        is_live(channel, **options)
    return raised.value.code()


def test_the_socket_is_private_and_removed(directory: Path) -> None:
    path = directory / "s"
    with asked_sidecar(directory, "models:Double") as (server, _):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert server.end() == 0
    assert not path.exists()


def test_a_second_server_is_refused(directory: Path) -> None:
    with asked_sidecar(directory, "models:Double") as (server, stub):
        with sidecar(directory, "models:Double") as second:
            assert second.process.wait(60) == 2
            assert f"Another server listens at '{directory}/s'." in second.log
        assert stub.ServerLive(pb.ServerLiveRequest()).live
        assert server.end() == 0


def test_what_a_killed_server_left_is_taken_over(directory: Path) -> None:
    with asked_sidecar(directory, "models:Double") as (server, _):
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
    assert (directory / "s").exists()
    with asked_sidecar(directory, "models:Double") as (_, stub):
        assert stub.ServerLive(pb.ServerLiveRequest()).live


def test_what_is_no_socket_is_left_alone(directory: Path) -> None:
    (directory / "s").write_text("precious")
    with sidecar(directory, "models:Double") as server:
        assert server.process.wait(60) == 2
        assert "exists and is not a socket" in server.log
    assert (directory / "s").read_text() == "precious"


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_directory_that_others_may_write_to_is_refused(directory: Path, mode: int) -> None:
    directory.chmod(mode)
    with sidecar(directory, "models:Double") as server:
        assert server.process.wait(60) == 2
        assert "Others may replace a socket" in server.log


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--endpoint", "unix://relative/s"], "--endpoint must be unix:// and an absolute"),
        (["--endpoint", "unix:///x/../s"], "--endpoint must be unix:// and an absolute"),
        (["--endpoint", "unix:///" + 120 * "x"], "a path of at most 107 bytes"),
        (["--endpoint", "unix:///no/such/directory/s"], "'/no/such/directory' of the socket"),
        (["--endpoint", "8001"], "--endpoint must be unix:///path/of/socket or host:port"),
        (["--endpoint", "0.0.0.0:8001"], "a loopback address, unless --tls-certificate"),
        (["--endpoint", "example.org:8001"], "a loopback address, unless --tls-certificate"),
        (["--max-batch-size", "0"], "max_batch_rows must be at least 1"),
        (["--max-queue-rows", "8"], "max_queue_rows must be at least 64"),
        (["--grace", "-1"], "must be at least 0"),
        (["--tls-key", "k"], "given together with --tls-key"),
        (["--token-file", "/no/such/file", "--endpoint", "127.0.0.1:0"], "--token-file must be"),
        (["--inputs", "x=FP31:-1"], "datatype must be one of BOOL"),
        (["--inputs", "x=FP32:2"], "shape must be -1 and then positive"),
        (["--inputs", "x"], "--inputs must be of the form"),
        (["--model-arg", "secret=not json"], "--model-arg must be a key, '=' and its value"),
    ],
)
def test_wrong_options_are_refused_by_name(
    directory: Path, arguments: List[str], complaint: str
) -> None:
    command = [sys.executable, "-m", "pyflink_async_batch.sidecar", "--model", "models:Double"]
    if "--endpoint" not in arguments:
        command += ["--endpoint", f"unix://{directory}/s"]
    run = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
    assert run.returncode == 2
    assert complaint in run.stderr
    assert "Traceback" not in run.stderr
    assert "not json" not in run.stderr
    assert not (directory / "s").exists()


@pytest.mark.parametrize(
    ("model", "complaint"),
    [
        ("Double", "--model must be of the form module:Class"),
        ("models:Missing", "--model must be a class in module 'models'"),
        ("models:np", "is no subclass of AsyncBatchFunction"),
        ("no_such_module:X", "No module named 'no_such_module'"),
        ("models:Undeclared", "declare a class attribute 'inputs'"),
    ],
)
def test_a_class_that_cannot_be_hosted(directory: Path, model: str, complaint: str) -> None:
    with sidecar(directory, model) as server:
        assert server.process.wait(60) == 1
        assert complaint in server.log


def test_tensors_that_the_command_line_names(directory: Path) -> None:
    names = ("--inputs", "a=BYTES:-1:text", "--outputs", "b=BYTES:-1:text")
    with asked_sidecar(directory, "models:Undeclared", *names) as (_, stub):
        request = infer_request("Undeclared", ("a", "BYTES", [1], b"\1\0\0\0x"))
        assert stub.ModelInfer(request).raw_output_contents[0] == b"\1\0\0\0x"


def tcp_address(server: Any) -> str:
    line = server.log_line("Listening at 127.0.0.1:")
    return line.rpartition(" ")[2]


def test_tcp_listens_on_loopback_alone_and_has_no_shared_memory(directory: Path) -> None:
    with sidecar(directory, "models:Double", "--endpoint", "127.0.0.1:0") as server:
        address = tcp_address(server.ready())
        listening = {
            connection.laddr.ip
            for connection in psutil.Process(server.pid).net_connections("inet")
            if connection.status == psutil.CONN_LISTEN
        }
        # gRPC's sockets are of IPv6.
        assert listening == {"::ffff:127.0.0.1"}
        with grpc.insecure_channel(address) as channel:
            metadata = Stub(channel).ServerMetadata(pb.ServerMetadataRequest())
            assert list(metadata.extensions) == []
            register = pb.SystemSharedMemoryRegisterRequest(name="r", key="/k", byte_size=1)
            with pytest.raises(grpc.RpcError, match="only Unix sockets support shared memory"):
                Stub(channel).SystemSharedMemoryRegister(register)


def test_a_port_that_is_taken(directory: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        with sidecar(directory, "models:Double", "--endpoint", endpoint) as server:
            assert server.process.wait(60) == 2
            assert f"'{endpoint}' cannot be bound" in server.log
    assert not (directory / "s").exists()


def test_clients_over_tcp_show_the_token(directory: Path) -> None:
    token = directory / "token"
    token.write_text("correct-horse-battery\n")
    token.chmod(0o600)
    arguments = ("--endpoint", "127.0.0.1:0", "--token-file", str(token))
    with sidecar(directory, "models:Double", *arguments) as server:
        address = tcp_address(server)

        def channel() -> Any:
            return grpc.insecure_channel(address)

        assert is_live(channel(), metadata=[("authorization", "Bearer correct-horse-battery")])
        for metadata in (
            [],
            [("authorization", "Bearer wrong")],
            [("authorization", "correct-horse-battery")],
            2 * [("authorization", "Bearer correct-horse-battery")],
        ):
            status = status_of(channel(), metadata=metadata)
            assert status == grpc.StatusCode.UNAUTHENTICATED
        # The Unix socket is guarded by its mode.
        assert is_live(grpc.insecure_channel(server.endpoint))
        assert "correct-horse-battery" not in server.log


def test_a_token_that_others_can_read_is_refused(directory: Path) -> None:
    token = directory / "token"
    token.write_text("correct-horse-battery\n")
    token.chmod(0o644)
    arguments = ("--endpoint", "127.0.0.1:0", "--token-file", str(token))
    with sidecar(directory, "models:Double", *arguments) as server:
        assert server.process.wait(60) == 2
        assert "a file that others cannot read or write" in server.log


def test_tls_and_a_token_let_it_listen_elsewhere(directory: Path) -> None:
    key, certificate, token = (directory / name for name in ("key", "certificate", "token"))
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "1", "-subj", "/CN=localhost", "-addext"),
            *("subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    token.write_text("correct-horse-battery")
    token.chmod(0o600)
    arguments = (
        *("--endpoint", "0.0.0.0:0", "--token-file", str(token)),
        *("--tls-key", str(key), "--tls-certificate", str(certificate)),
    )
    with sidecar(directory, "models:Double", *arguments) as server:
        port = re.search(r":(\d+)$", server.log_line("Listening at 0.0.0.0:"))
        assert port is not None
        address = f"localhost:{port[1]}"
        credentials = grpc.ssl_channel_credentials(certificate.read_bytes())
        header = [("authorization", "Bearer correct-horse-battery")]
        assert is_live(grpc.secure_channel(address, credentials), metadata=header)
        unauthenticated = status_of(grpc.secure_channel(address, credentials))
        assert unauthenticated == grpc.StatusCode.UNAUTHENTICATED
        plain = status_of(grpc.insecure_channel(address), metadata=header)
        assert plain == grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_runs_is_finished_and_the_function_closed(directory: Path, number: int) -> None:
    with asked_sidecar(directory, *held(directory)) as (server, stub):
        running = stub.ModelInfer.future(HELD)
        wait_for(lambda: (directory / "seen").exists())
        server.process.send_signal(number)
        server.log_line("Shutting down")

        def is_refused() -> bool:
            with grpc.insecure_channel(server.endpoint) as channel:
                try:
                    Stub(channel).ServerLive(pb.ServerLiveRequest())
                except grpc.RpcError as error:
                    return error.code() == grpc.StatusCode.UNAVAILABLE
            return False

        wait_for(is_refused)
        (directory / "gate").touch()
        assert running.result().raw_output_contents[0] == ONE
        assert server.process.wait(60) == 0
    assert (directory / "seen").read_text().split() == ["1", "closed"]
    assert not (directory / "s").exists()


def test_what_takes_longer_than_the_grace_is_cancelled(directory: Path) -> None:
    with asked_sidecar(directory, *held(directory), "--grace", "0.1") as (server, stub):
        running = stub.ModelInfer.future(HELD)
        wait_for(lambda: (directory / "seen").exists())
        assert server.end() == 0
        with pytest.raises(grpc.RpcError):
            running.result()
    assert (directory / "seen").read_text().split() == ["1", "cancelled", "closed"]


def test_a_second_signal_ends_it_at_once(directory: Path) -> None:
    with asked_sidecar(directory, *held(directory), "--grace", "1000") as (server, stub):
        running = stub.ModelInfer.future(HELD)
        wait_for(lambda: (directory / "seen").exists())
        server.process.send_signal(signal.SIGTERM)
        server.log_line("Shutting down")
        assert server.end() == 0
        with pytest.raises(grpc.RpcError):
            running.result()
    assert not (directory / "s").exists()


def test_a_function_that_never_returns_does_not_keep_the_server(directory: Path) -> None:
    arguments = ("--model-arg", "blocks=true", "--grace", "0")
    with asked_sidecar(directory, *held(directory), *arguments) as (server, stub):
        running = stub.ModelInfer.future(HELD)
        wait_for(lambda: (directory / "seen").exists())
        assert server.end() == 0
        assert "did not close in" in server.log
        with pytest.raises(grpc.RpcError):
            running.result()
    assert not (directory / "s").exists()


def test_a_server_that_is_still_opening_can_be_ended(directory: Path) -> None:
    gate = directory / "gate"
    with sidecar(directory, "models:Slow", "--model-arg", f'gate="{gate}"') as server:
        server.listens()
        assert server.end() == 0
    assert not (directory / "s").exists()


def test_reconnects_leave_nothing_behind(directory: Path) -> None:
    request = infer_request("Double", ("x", "FP32", [1], bytes(4)))

    def ask() -> None:
        with stub_of(f"unix://{directory}/s") as stub:
            assert stub.ModelInfer(request).outputs[0].shape == [1]

    with asked_sidecar(directory, "models:Double") as (server, _):
        process = psutil.Process(server.pid)
        for _ in range(5):
            ask()
        # Some of these may still be closing, five at most.
        before = process.num_fds()
        threads = process.num_threads()
        for _ in range(100):
            ask()
        wait_for(lambda: process.num_fds() <= before)
        assert process.num_threads() <= threads + os.cpu_count()


CONNECT = (
    "socket(my $s, PF_UNIX, SOCK_STREAM, 0) or die; "
    "print connect($s, sockaddr_un($ARGV[0])) ? 'connected' : $!"
)


def connect_as(user: int, path: Path) -> str:
    """What becomes of a process of that user that connects; Python itself may be private."""
    command = ["perl", "-MSocket", "-e", CONNECT, str(path)]
    return subprocess.run(command, user=user, cwd="/", capture_output=True, text=True).stdout


def can_be_another_user() -> bool:
    """Whether this process may be one, as root may unless it is confined, and has what it takes."""
    if os.getuid() != 0 or shutil.which("perl") is None:
        return False
    try:
        subprocess.run(["perl", "-MSocket", "-e", "1"], user=65534, cwd="/", check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


@pytest.mark.skipif(not can_be_another_user(), reason="only root with perl becomes another user")
def test_another_user_cannot_connect(directory: Path) -> None:
    # Only the socket's own mode keeps others out then.
    directory.chmod(0o755)
    with asked_sidecar(directory, "models:Double"):
        assert connect_as(0, directory / "s") == "connected"
        assert connect_as(65534, directory / "s") == "Permission denied"
