"""Holds the messages to the bytes that the operator's tests read too."""

import hashlib
import os
import struct
from pathlib import Path
from typing import Any, Type

import pytest
from google.protobuf import text_format
from pyflink_async_batch._proto import async_batch_pb2

GOLDEN = Path(__file__).resolve().parents[2] / "proto" / "golden"


def parse_text(name: str, message_class: Type[Any]) -> Any:
    text = (GOLDEN / (name + ".textproto")).read_text(encoding="utf-8")
    return text_format.Parse(text, message_class())


def test_function() -> None:
    expected = parse_text("function", async_batch_pb2.UserDefinedAsyncBatchFunction)
    golden = (GOLDEN / "function.bin").read_bytes()
    assert expected.SerializeToString(deterministic=True) == golden
    assert async_batch_pb2.UserDefinedAsyncBatchFunction.FromString(golden) == expected


@pytest.mark.parametrize(
    "name",
    [
        "frame_hello",
        "frame_invoke",
        "frame_timeout",
        "frame_cancel",
        "frame_result",
        "frame_retry",
        "frame_failure",
        "frame_part",
        "frame_too_large",
        "frame_overloaded",
    ],
)
def test_frames(name: str) -> None:
    header = parse_text(name, async_batch_pb2.FrameHeader).SerializeToString(deterministic=True)
    golden = (GOLDEN / (name + ".bin")).read_bytes()
    assert struct.pack("<IQ", len(header), 4) + header + b"body" == golden


def test_the_messages_are_those_that_the_protocols_version_was_given_for() -> None:
    digest = hashlib.sha256(async_batch_pb2.DESCRIPTOR.serialized_pb).hexdigest()
    version = async_batch_pb2.PROTOCOL_VERSION_CURRENT
    file = GOLDEN / "protocol_version.txt"
    if os.environ.get("ASYNC_BATCH_UPDATE_PROTOCOL"):
        file.write_text("%d %s\n" % (version, digest), encoding="utf-8")
    assert file.read_text(encoding="utf-8").split() == [str(version), digest], (
        "The messages between jar and worker have changed. If a worker or an operator of the last "
        "release would misunderstand them, raise PROTOCOL_VERSION_CURRENT in async_batch.proto; "
        "then renew the file with ASYNC_BATCH_UPDATE_PROTOCOL=1."
    )
