"""Decodes the record batches of the operator to the elements that the user's function takes."""

from typing import Any, List, Union

import pyarrow as pa

from pyflink_async_batch._worker.element_types import (
    LAYOUT_KEY,
    MalformedBatch,
    composite_type,
    element_type,
    logical_type,
)

__all__ = ["BatchDecoder", "MalformedBatch"]


class BatchDecoder:
    """Decodes batches of one schema. Keeps nothing between calls; used by the event loop.

    The values are those that PyFlink's own coders return for the same ``TypeInformation``.

    :param schema: the operator's input schema, or the bytes of its Arrow IPC message
    """

    def __init__(self, schema: Union[pa.Schema, bytes]) -> None:
        self._schema = read_schema(schema)
        self._layout = logical_type(self._schema.metadata, LAYOUT_KEY)
        fields = [self._schema.field(i) for i in range(len(self._schema.names))]
        if self._layout == "VALUE":
            self._nullable = fields[0].nullable
            self._value = element_type(fields[0])
        else:
            self._composite = composite_type(self._layout, None, fields)

    def decode(self, body: Any, row_count: int) -> List[Any]:
        """Returns the batch's elements in order.

        :param body: a bytes-like object with one encapsulated Arrow IPC record batch message; it
            may be overwritten as soon as this returns
        :param row_count: how many elements the batch has
        :raise MalformedBatch: if the body is not such a batch
        """
        try:
            batch = pa.ipc.read_record_batch(pa.py_buffer(body), self._schema)
            batch.validate(full=True)
        except (pa.ArrowException, OSError, EOFError, ValueError) as error:
            raise MalformedBatch(f"the body is no record batch of the schema: {error}") from error
        if batch.num_rows != row_count:
            raise MalformedBatch(f"expected {row_count} rows, the body has {batch.num_rows}")
        if self._layout != "VALUE":
            return self._composite.decode_columns(batch.columns)
        column = batch.column(0)
        if column.null_count and not self._nullable:
            raise MalformedBatch(f"an element of type {self._value.name} is null")
        return self._value.decode(column)


def read_schema(schema: Union[pa.Schema, bytes]) -> pa.Schema:
    """Reads the bytes of an Arrow IPC schema message, if it is not a schema already."""
    if isinstance(schema, pa.Schema):
        return schema
    try:
        return pa.ipc.read_schema(pa.py_buffer(schema))
    except (pa.ArrowException, OSError, EOFError, ValueError) as error:
        raise MalformedBatch(f"the operator's schema cannot be read: {error}") from error
