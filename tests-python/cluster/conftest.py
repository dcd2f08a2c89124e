"""Gives the tests a cluster, one for all of them as starting it takes a while."""

from collections.abc import Iterator

import pytest
from session_cluster import SessionCluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionCluster]:
    cluster = SessionCluster(tmp_path_factory.mktemp("cluster"))
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()
