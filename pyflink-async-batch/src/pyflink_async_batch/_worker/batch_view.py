"""What the user's function takes and returns, between it and the record batches that travel.

Chosen once, when the function is opened: Python values for an ``AsyncBatchFunction``, Arrow's own
columns for an ``ArrowAsyncBatchFunction``. Transports know record batches alone.
"""

import itertools
from typing import Any, List, Protocol, Sequence, Tuple

import pyarrow as pa

from pyflink_async_batch._worker import result_check
from pyflink_async_batch._worker.batch_decoder import BatchDecoder
from pyflink_async_batch._worker.column_view import ColumnView
from pyflink_async_batch._worker.result_check import Results
from pyflink_async_batch._worker.result_encoder import MisfitResultError, ResultEncoder
from pyflink_async_batch._worker.yielded_rows import index_of, pair_of
from pyflink_async_batch.function import ArrowAsyncBatchFunction

__all__ = ["BatchView", "Piece", "RowView", "view_for"]

#: Indexes of some rows of a batch, and what became of them.
Piece = Tuple[Sequence[int], Results]


class BatchView(Protocol):
    """The batches of one function, both ways. Lives on the event loop's thread."""

    #: Whether what the function is given lies in the batch's memory, for as long as the function
    #: keeps it. If so, that memory must be the batch's own, and never be written again.
    shares_memory: bool

    def inputs(self, batch: pa.RecordBatch) -> Any:
        """Returns a batch of the operator as the function takes it."""

    def check(self, results: Any, method: str, row_count: int) -> Results:
        """Returns what a method of the function returned: an outcome for each input.

        :raises InvalidResultError: if it is something else
        """

    def yielded(self, item: Any, method: str) -> Piece:
        """Returns what a method of the function yielded, with an outcome for each index.

        :raises InvalidResultError: if it is something else
        """

    def gather(self, pieces: Sequence[Piece]) -> List[Piece]:
        """Returns the same rows in as few pieces as cost nothing to make."""

    def pick(self, results: Results, positions: Sequence[int]) -> Results:
        """Returns some of the rows, in that order.

        :raises InvalidResultError: if their values are no valid data
        """

    def join(self, inputs: Sequence[Any]) -> Any:
        """Returns several batches' inputs as the function takes them, one after the other."""

    def part(self, results: Results, row_counts: Sequence[int]) -> List[Any]:
        """Returns results of joined inputs as the function would have returned each batch's."""

    def encode(self, results: Results) -> pa.RecordBatch:
        """Returns the values of the rows that did not fail as a batch for the operator.

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
        self._encoder = encoder

    def check(self, results: Any, method: str, row_count: int) -> Results:
        """See :func:`result_check.check`."""
        return result_check.of_list(result_check.check(results, method, row_count))

    def yielded(self, item: Any, method: str) -> Piece:
        """Takes pairs of an index and the result of that input."""
        index, result = pair_of(item, method, "pairs of an index and a result")
        return [index_of(index, method)], result_check.of_list([result])

    def gather(self, pieces: Sequence[Piece]) -> List[Piece]:
        """Makes one piece of all."""
        if not pieces:
            return []
        rows = itertools.chain.from_iterable(rows for rows, _ in pieces)
        values = itertools.chain.from_iterable(results.values for _, results in pieces)
        return [(list(rows), result_check.of_list(list(values)))]

    def pick(self, results: Results, positions: Sequence[int]) -> Results:
        """Returns a list of some of the values."""
        return result_check.of_list([results.values[position] for position in positions])

    def join(self, inputs: Sequence[List[Any]]) -> List[Any]:
        """Returns one list."""
        return list(itertools.chain.from_iterable(inputs))

    def part(self, results: Results, row_counts: Sequence[int]) -> List[List[Any]]:
        """Returns a list for each batch."""
        rest = iter(results.values)
        return [list(itertools.islice(rest, count)) for count in row_counts]

    def encode(self, results: Results) -> pa.RecordBatch:
        """See :class:`ResultEncoder`."""
        if not results.failures:
            return self._encoder.encode(results.values)
        kept = result_check.kept(results, len(results.values))
        try:
            return self._encoder.encode([results.values[position] for position in kept])
        except MisfitResultError as misfit:
            raise misfit.at(kept[misfit.index]) from None


def view_for(function: Any, decoder: BatchDecoder, description: Any) -> BatchView:
    """
    :param function: the user's function
    :param decoder: of the operator's input schema
    :param description: the ``UserDefinedAsyncBatchFunction`` that the operator sent
    """
    if isinstance(function, ArrowAsyncBatchFunction):
        return ColumnView(description.input_schema, description.output_schema)
    return RowView(decoder, ResultEncoder(description.output_schema))
