"""What the user's function takes and returns, between it and the record batches that travel.

Chosen once, when the function is opened: Python values for an ``AsyncBatchFunction``, Arrow's own
columns for an ``ArrowAsyncBatchFunction``. Transports know record batches alone.
"""

import itertools
from typing import Any, List, Protocol, Sequence

import pyarrow as pa

from pyflink_async_batch._worker import result_check
from pyflink_async_batch._worker.batch_decoder import BatchDecoder
from pyflink_async_batch._worker.column_view import ColumnView
from pyflink_async_batch._worker.result_encoder import ResultEncoder
from pyflink_async_batch.function import ArrowAsyncBatchFunction

__all__ = ["BatchView", "RowView", "view_for"]


class BatchView(Protocol):
    """The batches of one function, both ways. Lives on the event loop's thread."""

    #: Whether what the function is given lies in the batch's memory, for as long as the function
    #: keeps it. If so, that memory must be the batch's own, and never be written again.
    shares_memory: bool

    def inputs(self, batch: pa.RecordBatch) -> Any:
        """Returns a batch of the operator as the function takes it."""

    def check(self, results: Any, method: str, row_count: int) -> Any:
        """Returns what a method of the function returned, known to have a result for each input.

        :raises InvalidResultError: if it has not
        """

    def join(self, inputs: Sequence[Any]) -> Any:
        """Returns several batches' inputs as the function takes them, one after the other."""

    def part(self, results: Any, row_counts: Sequence[int]) -> List[Any]:
        """Returns checked results of joined inputs as those of each batch."""

    def encode(self, results: Any) -> pa.RecordBatch:
        """Returns checked results as a batch for the operator.

        :raises InvalidResultError: if one does not fit ``output_type``
        """


class RowView:
    """Lists of Python values that share nothing with the batches.

    :param decoder: of the operator's input schema
    :param encoder: of its output schema
    """

    shares_memory = False

    def __init__(self, decoder: BatchDecoder, encoder: ResultEncoder) -> None:
        self.inputs = decoder.rows
        self.encode = encoder.encode

    def check(self, results: Any, method: str, row_count: int) -> List[Any]:
        """See :func:`result_check.check`."""
        return result_check.check(results, method, row_count)

    def join(self, inputs: Sequence[List[Any]]) -> List[Any]:
        """Returns one list."""
        return list(itertools.chain.from_iterable(inputs))

    def part(self, results: List[Any], row_counts: Sequence[int]) -> List[List[Any]]:
        """Returns a list for each batch."""
        rest = iter(results)
        return [list(itertools.islice(rest, count)) for count in row_counts]


def view_for(function: Any, decoder: BatchDecoder, description: Any) -> BatchView:
    """
    :param function: the user's function
    :param decoder: of the operator's input schema
    :param description: the ``UserDefinedAsyncBatchFunction`` that the operator sent
    """
    if isinstance(function, ArrowAsyncBatchFunction):
        return ColumnView(description.input_schema, description.output_schema)
    return RowView(decoder, ResultEncoder(description.output_schema))
