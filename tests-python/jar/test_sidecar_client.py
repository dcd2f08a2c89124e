"""The sidecar's client as it is in the wheel's jar: with relocated gRPC, Netty and protobuf."""

import shutil
import subprocess
import urllib.parse
from pathlib import Path
from typing import Any

import pyflink
import pytest
from jdk import jdk_tool
from pyflink_async_batch._graph.bundled_jar import bundled_jar_url

_SOURCES = Path(__file__).parent
_NO_NATIVE = "-Dio.asyncbatch.flink.shaded.io.netty.transport.noNative"


@pytest.fixture(scope="module")
def jar() -> str:
    return urllib.parse.unquote(urllib.parse.urlparse(bundled_jar_url()).path)


@pytest.fixture(scope="module")
def flink() -> str:
    return f"{Path(pyflink.__file__).parent}/lib/*"


@pytest.fixture(scope="module")
def classes(jar: str, flink: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("classes")
    source = _SOURCES / "SidecarRound.java"
    subprocess.run(
        [jdk_tool("javac"), "-cp", f"{jar}:{flink}", "-d", str(target), str(source)], check=True
    )
    return target


@pytest.mark.skipif(shutil.which(jdk_tool("javac")) is None, reason="needs a JDK")
@pytest.mark.parametrize("no_native", ["false", "true"], ids=["epoll", "nio"])
def test_it_speaks_over_a_unix_socket_and_its_classes_are_released(
    no_native: str, jar: str, flink: str, classes: Path, tmp_path: Any
) -> None:
    done = subprocess.run(
        [
            jdk_tool("java"),
            "--add-opens=java.base/java.nio=ALL-UNNAMED",
            "-Dlog4j2.level=WARN",
            f"{_NO_NATIVE}={no_native}",
            "-cp",
            flink,
            str(_SOURCES / "LoadAndRelease.java"),
            jar,
            f"{classes}/",
            str(tmp_path / "socket"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=180,
    )
    assert done.stdout.splitlines() == ["answer 42", "released"]
    assert done.returncode == 0
