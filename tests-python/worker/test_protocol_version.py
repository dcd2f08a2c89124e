"""Jar and wheel of different releases do not misunderstand each other."""

import pytest
from pyflink_async_batch import __version__
from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import protocol_version

Description = async_batch_pb2.UserDefinedAsyncBatchFunction


def test_the_own_protocol_is_spoken() -> None:
    protocol_version.require_own_protocol(Description(protocol_version=protocol_version.OWN))


@pytest.mark.parametrize("version", [0, protocol_version.OWN + 1])
def test_another_protocol_is_refused_with_both_releases(version: int) -> None:
    description = Description(protocol_version=version, release="9.9.9")
    with pytest.raises(RuntimeError) as refused:
        protocol_version.require_own_protocol(description)
    message = str(refused.value)
    assert "flink-python-async-batch 9.9.9 and speaks version %d" % version in message
    assert "pyflink-async-batch %s, which speaks version 1" % __version__ in message
    assert "flink run -pyfs" in message


def test_a_release_that_does_not_say_its_name_is_refused_too() -> None:
    with pytest.raises(RuntimeError, match="of flink-python-async-batch an unknown version"):
        protocol_version.require_own_protocol(Description())
