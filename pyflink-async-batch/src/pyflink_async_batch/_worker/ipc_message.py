"""What pyarrow does not tell of an encapsulated Arrow IPC message before it reads it."""

import struct
from typing import Any

_WORD = struct.Struct("<I")
_SIGNED = struct.Struct("<i")
_HALF = struct.Struct("<H")

_PREFIX_BYTES = 8
# Positions in the tables of Message.fbs: Message.header and RecordBatch.compression.
_MESSAGE_HEADER = 8
_RECORD_BATCH_COMPRESSION = 10


def is_compressed(message: Any) -> bool:
    """
    Whether the body of a record batch is compressed, so that reading it may take any amount of
    memory, whatever the size of the message.

    :param message: a bytes-like object that begins with the message
    :raise struct.error: if the metadata points outside of the message
    """
    root = _PREFIX_BYTES + _WORD.unpack_from(message, _PREFIX_BYTES)[0]
    header_at = _field(message, root, _MESSAGE_HEADER)
    if header_at == 0:
        return False
    header = header_at + _WORD.unpack_from(message, header_at)[0]
    return _field(message, header, _RECORD_BATCH_COMPRESSION) != 0


def _field(message: Any, table: int, position: int) -> int:
    """Where a field of a flatbuffers table is, 0 if it is left out."""
    layout = table - _SIGNED.unpack_from(message, table)[0]
    if layout < 0:
        raise struct.error("a table's layout is before the message")
    if position >= _HALF.unpack_from(message, layout)[0]:
        return 0
    offset = _HALF.unpack_from(message, layout + position)[0]
    return table + int(offset) if offset else 0
