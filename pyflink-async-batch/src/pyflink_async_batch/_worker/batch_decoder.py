"""Decodes the record batches of the operator to the elements that the user's function takes.

Here live the checks of a batch's bytes; what the columns mean is said by the schema's layout.
"""

import struct
from typing import Any, List, Union

import pyarrow as pa

from pyflink_async_batch._worker.element_type import MalformedBatch
from pyflink_async_batch._worker.ipc_message import is_compressed
from pyflink_async_batch._worker.schema_types import Layout

__all__ = ["BatchDecoder", "MalformedBatch"]


class BatchDecoder:
    """Decodes batches of one schema. Keeps nothing between calls; used by the event loop.

    The values are those that PyFlink's own coders return for the same ``TypeInformation``.

    :param schema: the operator's input schema, or the bytes of its Arrow IPC message
    """

    def __init__(self, schema: Union[pa.Schema, bytes]) -> None:
        self._layout = Layout(schema)

    def read(self, body: Any, row_count: int) -> pa.RecordBatch:
        """Returns the batch that the body holds, checked down to its last offset.

        :param body: a bytes-like object with one encapsulated Arrow IPC record batch message; the
            batch is a view of it
        :param row_count: how many elements the batch has
        :raise MalformedBatch: if the body is not such a batch
        """
        try:
            if is_compressed(body):
                raise MalformedBatch("the body is compressed, which is not accepted")
            batch = pa.ipc.read_record_batch(pa.py_buffer(body), self._layout.schema)
            batch.validate(full=True)
        except MalformedBatch:
            raise
        except (pa.ArrowException, OSError, EOFError, ValueError, struct.error) as error:
            raise MalformedBatch(f"the body is no record batch of the schema: {error}") from error
        if batch.num_rows != row_count:
            raise MalformedBatch(f"expected {row_count} rows, the body has {batch.num_rows}")
        return batch

    def rows(self, batch: pa.RecordBatch) -> List[Any]:
        """Returns the batch's elements in order, which share nothing with it.

        :raise MalformedBatch: if there is a null where the schema promises none, or a value that
            Python's type for it cannot hold
        """
        try:
            return self._layout.decode(batch.columns)
        except MalformedBatch:
            raise
        except (ArithmeticError, ValueError) as error:
            raise MalformedBatch(f"a value of the batch cannot be read: {error}") from error
