"""Encodes what the user's function returned as record batches for the operator."""

from typing import Any, List, Union

import pyarrow as pa

from pyflink_async_batch._worker.batch_decoder import read_schema
from pyflink_async_batch._worker.element_types import (
    LAYOUT_KEY,
    Misfit,
    composite_type,
    element_type,
    logical_type,
)

__all__ = ["InvalidResult", "ResultEncoder"]


class InvalidResult(TypeError):  # noqa: N818 - the users' errors are named so
    """A result does not fit ``output_type``.

    :param index: position of the result in the list that the function returned
    :param path: path of the field within the result, "" for the result itself
    :param expected: what the field takes
    :param found: what the field holds instead; of a composite value only the class
    """

    def __init__(self, index: int, path: str, expected: str, found: str) -> None:
        where = f" at field '{path}'" if path else ""
        super().__init__(
            f"Result {index} does not fit output_type{where}: expected {expected}, got {found}."
        )
        self.index = index
        self.path = path
        self.expected = expected
        self.found = found

    def __reduce__(self) -> Any:
        return type(self), (self.index, self.path, self.expected, self.found)


class ResultEncoder:
    """Encodes batches of one schema. Keeps nothing between calls; used by the event loop.

    Which values a type takes beside PyFlink's own is said by its class in
    :mod:`~pyflink_async_batch._worker.element_types`.

    :param schema: the operator's output schema, or the bytes of its Arrow IPC message
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

    def encode(self, results: List[Any]) -> pa.Buffer:
        """Returns one encapsulated Arrow IPC record batch message of the results.

        :raise InvalidResult: for the first result found that does not fit
        """
        try:
            if self._layout == "VALUE":
                columns = [self._value.encode(results, self._nullable)]
            else:
                self._composite.refuse_null(results)
                columns = self._composite.encode_columns(results)
        except Misfit as misfit:
            raise InvalidResult(
                misfit.position, misfit.path, misfit.expected, misfit.found
            ) from None
        return pa.RecordBatch.from_arrays(columns, schema=self._schema).serialize()
