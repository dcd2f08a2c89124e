"""Encodes what the user's function returned as record batches for the operator.

Here lives also the error about a single result that does not fit ``output_type``.
"""

from typing import Any, List, Union

import pyarrow as pa

from pyflink_async_batch._worker.element_type import Misfit
from pyflink_async_batch._worker.result_check import InvalidResultError
from pyflink_async_batch._worker.schema_types import Layout

__all__ = ["MisfitResultError", "ResultEncoder"]


class MisfitResultError(InvalidResultError):
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

    def at(self, index: int) -> "MisfitResultError":
        """The same misfit of a result at another position."""
        return MisfitResultError(index, self.path, self.expected, self.found)

    def __reduce__(self) -> Any:
        return type(self), (self.index, self.path, self.expected, self.found)


class ResultEncoder:
    """Encodes batches of one schema. Keeps nothing between calls; used by the event loop.

    Which values a type takes beside PyFlink's own is said by its class in
    :mod:`~pyflink_async_batch._worker.scalar_types` or
    :mod:`~pyflink_async_batch._worker.nested_types`.

    :param schema: the operator's output schema, or the bytes of its Arrow IPC message
    """

    def __init__(self, schema: Union[pa.Schema, bytes]) -> None:
        self._layout = Layout(schema)

    def encode(self, results: List[Any]) -> pa.RecordBatch:
        """Returns the results as one record batch.

        :raise MisfitResultError: for the first result found that does not fit
        """
        try:
            columns = self._layout.encode(results)
        except Misfit as misfit:
            raise MisfitResultError(
                misfit.position, misfit.path, misfit.expected, misfit.found
            ) from None
        return pa.RecordBatch.from_arrays(columns, schema=self._layout.schema)
