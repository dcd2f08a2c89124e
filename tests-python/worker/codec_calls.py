"""Elements to the bytes of a body and back, in one call each."""

from typing import Any, List, Union

import pyarrow as pa
from pyflink_async_batch._worker.batch_decoder import BatchDecoder
from pyflink_async_batch._worker.result_encoder import ResultEncoder


def encode(schema: Union[pa.Schema, bytes], results: List[Any]) -> pa.Buffer:
    return ResultEncoder(schema).encode(results).serialize()


def decode(schema: Union[pa.Schema, bytes], body: Any, row_count: int) -> List[Any]:
    decoder = BatchDecoder(schema)
    return decoder.rows(decoder.read(body, row_count))
