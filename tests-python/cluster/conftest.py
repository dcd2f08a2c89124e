"""Gives the tests a cluster, one for all of them as starting it takes a while."""

import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest
from jdk import jdk_tool
from pyflink_async_batch._graph.bundled_jar import bundled_jar_url
from session_cluster import FIRST_PROMETHEUS_PORT, FLINK_HOME, JOBS, SessionCluster
from trace_collector import TraceCollector

MONITORING = Path(__file__).resolve().parents[2] / "examples" / "monitoring"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionCluster]:
    yield from _running(SessionCluster(tmp_path_factory.mktemp("cluster")))


@pytest.fixture(scope="module")
def large_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionCluster]:
    """One with two TaskManagers, that soon sees when one is gone and then goes on."""
    options = [
        "execution.checkpointing.interval: 500 ms",
        # What REST says of a job is no older.
        "web.refresh-interval: 100",
        "heartbeat.interval: 2000",
        "heartbeat.timeout: 20000",
        "restart-strategy.type: fixed-delay",
        "restart-strategy.fixed-delay.attempts: 100",
        "restart-strategy.fixed-delay.delay: 500 ms",
    ]
    directory = tmp_path_factory.mktemp("cluster")
    yield from _running(SessionCluster(directory, options=options, task_managers=2))


@pytest.fixture(scope="session")
def java_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job in Java as users ship it: one jar with their classes and the operator's."""
    directory = tmp_path_factory.mktemp("java")
    jar = Path(url2pathname(urlparse(bundled_jar_url()).path))
    subprocess.run(
        [
            *(jdk_tool("javac"), "-proc:none", "-d", str(directory / "classes")),
            *("-cp", "%s:%s/lib/*" % (jar, FLINK_HOME)),
            str(JOBS / "SumOfSquares.java"),
        ],
        check=True,
    )
    shipped = directory / "job.jar"
    shutil.copyfile(jar, shipped)
    with zipfile.ZipFile(shipped, "a") as archive:
        for file in (directory / "classes").iterdir():
            archive.write(file, file.name)
    return shipped


@pytest.fixture(scope="module")
def thread_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionCluster]:
    """One that is set up for python.execution-mode 'thread'."""
    yield from _running(SessionCluster(tmp_path_factory.mktemp("cluster"), thread_mode=True))


@pytest.fixture(scope="module")
def gpu_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionCluster]:
    """One whose TaskManager has two devices, as Flink's GPU plugin is told."""
    directory = tmp_path_factory.mktemp("cluster")
    script = directory / "discover-two.sh"
    script.write_text("#!/bin/sh\necho 7,3\n")
    script.chmod(0o700)
    options = [
        "external-resources: gpu",
        "external-resource.gpu.driver-factory.class: "
        "org.apache.flink.externalresource.gpu.GPUDriverFactory",
        "external-resource.gpu.amount: 2",
        "external-resource.gpu.param.discovery-script.path: %s" % script,
        "taskmanager.cpu.cores: 8",
        # For the classes of four jobs at a time.
        "taskmanager.memory.jvm-metaspace.size: 512m",
        "taskmanager.memory.managed.fraction: 0.1",
    ]
    yield from _running(SessionCluster(directory, options=options))


@pytest.fixture(scope="module")
def monitored_cluster(
    tmp_path_factory: pytest.TempPathFactory, trace_collector: TraceCollector
) -> Iterator[SessionCluster]:
    """One with the reporters of the examples, on other ports and with every batch in a span."""
    ports = "%d-%d" % (FIRST_PROMETHEUS_PORT, FIRST_PROMETHEUS_PORT + 9)
    options = [
        *_example("flink-config.yaml", "9249-9258", ports),
        *_example("flink-traces.yaml", "127.0.0.1:4318", "127.0.0.1:%d" % trace_collector.port),
    ]
    yield from _running(SessionCluster(tmp_path_factory.mktemp("cluster"), options=options))


@pytest.fixture(scope="module")
def trace_collector() -> Iterator[TraceCollector]:
    collector = TraceCollector()
    yield collector
    collector.close()


def _example(name: str, old: str, new: str) -> list[str]:
    """The lines of an example, with something else in the place of what depends on the machine."""
    text = (MONITORING / name).read_text(encoding="utf-8")
    assert old in text
    lines = text.replace(old, new).splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _running(cluster: SessionCluster) -> Iterator[SessionCluster]:
    try:
        cluster.start()
        yield cluster
    finally:
        try:
            cluster.stop()
        finally:
            cluster.end_orphans()
