"""Gives the tests a cluster, one for all of them as starting it takes a while."""

from collections.abc import Iterator

import pytest
from session_cluster import SessionCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionCluster]:
    yield from _running(SessionCluster(tmp_path_factory.mktemp("cluster")))


@pytest.fixture(scope="module")
def thread_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionCluster]:
    """One that is set up for python.execution-mode 'thread'."""
    yield from _running(SessionCluster(tmp_path_factory.mktemp("cluster"), thread_mode=True))


def _running(cluster: SessionCluster) -> Iterator[SessionCluster]:
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()
