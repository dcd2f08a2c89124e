"""Holds the messages to the bytes that the operator's tests read too."""

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
