"""A running job as 'pyflink-async-batch' shows it, by the REST interface of its mini cluster."""

import asyncio
import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest
from pyflink.common import Configuration, Time, Types
from pyflink.datastream import StreamExecutionEnvironment
from pyflink_async_batch import AsyncBatchFunction, AsyncDataStream

COMMAND = str(Path(sys.executable).with_name("pyflink-async-batch"))
HOSTILE_NAME = '<script>alert(1)</script> "job" & \x1b[31m[red]\u202e'
ROWS = 10**9
pytestmark = pytest.mark.process_mode


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def url(environment: StreamExecutionEnvironment) -> str:
    """Where the job's mini cluster will answer."""
    port = free_port()
    configuration = Configuration()
    configuration.set_string("rest.port", str(port))
    configuration.set_string("rest.bind-port", str(port))
    configuration.set_string("rest.bind-address", "127.0.0.1")
    configuration.set_string("metrics.fetcher.update-interval", "200")
    configuration.set_string("execution.checkpointing.interval", "200 ms")
    environment.configure(configuration)
    return "http://127.0.0.1:%d" % port


class Slow(AsyncBatchFunction[int, int]):
    async def async_invoke_batch(self, inputs: list[int]) -> list[int]:
        await asyncio.sleep(0.05)
        return inputs


@pytest.fixture
def job(
    environment: StreamExecutionEnvironment, numbers: Any, url: str
) -> Iterator[Callable[[str], Any]]:
    """A job that runs until the test ends; the fixture asks its cluster."""
    stream = AsyncDataStream.unordered_wait_batch(
        numbers(ROWS),
        Slow(),
        timeout=Time.seconds(60),
        batch_size=8,
        capacity=4,
        output_type=Types.LONG(),
        name="classify <b>digits",
    )
    stream.print()
    client = environment.execute_async(HOSTILE_NAME)

    def ask(path: str) -> Any:
        with urllib.request.urlopen(url + path, timeout=30) as answer:
            return json.load(answer)

    yield ask
    client.cancel().result()


def run(*arguments: str) -> str:
    done = subprocess.run(
        [COMMAND, *arguments], capture_output=True, text=True, encoding="utf-8", timeout=100
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_running_job_is_shown_and_reported(
    job: Callable[[str], Any], url: str, tmp_path: Path
) -> None:
    (found,) = job("/jobs/overview")["jobs"]
    until(lambda: job("/jobs/%s/checkpoints" % found["jid"])["counts"]["completed"] > 0)

    frame = run("top", "--rest", url, "--once")

    assert "jobs with async-batch operators: 1, without: 0" in frame
    assert '<script>alert(1)</script> "job" & \ufffd[31m[red]\ufffd' in frame
    assert "\x1b" not in frame
    (row,) = [line for line in frame.splitlines() if "classify_<b>digits x1" in line]
    assert " 8/8 " in row
    assert " 4/4 " in row
    assert " 1/0/0 " in row

    output = tmp_path / "report.html"
    told = run(
        *("report", "--rest", url, "--job", HOSTILE_NAME, "--seconds", "3"),
        *("--interval", "0.5", "--output", str(output)),
    )

    assert "The time that was asked for was over." in told
    text = output.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &quot;job&quot; &amp; \ufffd[31m" in text
    assert "classify_&lt;b&gt;digits" in text
    # There are values to draw of everything that a running job has.
    for title in ("Throughput", "In flight", "Batch size", "Calls took", "Checkpointed state"):
        assert "<title>%s</title>" % title in text


def until(condition: Callable[[], bool]) -> None:
    """The test's own deadline ends it if this never becomes true."""
    while not condition():
        time.sleep(0.1)
