"""What the user's function may yield: rows of its batch, each once, with their results."""

import operator
from typing import Any, Iterable, List, Sequence, Tuple

import numpy as np
import pyarrow as pa

from pyflink_async_batch._worker.result_check import YieldedResultError

__all__ = ["YieldedIndexes", "index_of", "indexes_of", "pair_of"]

# An error names the first of them.
_MOST_SHOWN = 10


def pair_of(item: Any, method: str, accepted: str) -> Tuple[Any, Any]:
    """
    :param accepted: what the pair should be, for the error.
    :return: what was yielded, known to be a pair.
    :raises YieldedResultError: it is something else.
    """
    if not isinstance(item, tuple) or len(item) != 2:
        shown = f"a tuple of {len(item)}" if isinstance(item, tuple) else type(item).__name__
        raise YieldedResultError(f"'{method}' should yield {accepted}, but yielded '{shown}'.")
    return item


def index_of(value: Any, method: str) -> int:
    """
    :raises YieldedResultError: it is no integer.
    """
    if not isinstance(value, (bool, np.bool_)):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise YieldedResultError(
        f"'{method}' should yield the index of a row as an int, but it is of type "
        f"'{type(value).__name__}'."
    )


def indexes_of(value: Any, method: str) -> List[int]:
    """
    :param value: an index, or several in a sequence or an array.
    :raises YieldedResultError: it is something else.
    """
    if isinstance(value, (pa.Array, pa.ChunkedArray)):
        value = value.to_pylist()
    elif isinstance(value, np.ndarray) and value.ndim == 1:
        value = value.tolist()
    if isinstance(value, (list, tuple, range)):
        return [index_of(index, method) for index in value]
    return [index_of(value, method)]


class YieldedIndexes:
    """
    Which rows of a call have been yielded. Used by the event loop's thread.

    :param method: the qualified name of the user's method, for errors.
    :param row_count: how many inputs it was given.
    """

    def __init__(self, method: str, row_count: int) -> None:
        self._method = method
        self._row_count = row_count
        self._is_told = bytearray(row_count)
        self._left = row_count

    @property
    def left(self) -> int:
        """How many rows have not been yielded yet."""
        return self._left

    def add(self, indexes: Iterable[int]) -> None:
        """:raises YieldedResultError: naming an index that is foreign, or was there before."""
        for index in indexes:
            if not 0 <= index < self._row_count:
                raise YieldedResultError(
                    f"'{self._method}' yielded index {index}, which is that of no input: indexes "
                    f"go from 0 to {self._row_count - 1}."
                )
            if self._is_told[index]:
                raise YieldedResultError(
                    f"'{self._method}' yielded index {index} more than once: each input has one "
                    "result."
                )
            self._is_told[index] = 1
            self._left -= 1

    def require_all(self) -> None:
        """:raises YieldedResultError: naming indexes that were never yielded."""
        if self._left:
            missing = [index for index, told in enumerate(self._is_told) if not told]
            raise YieldedResultError(
                f"'{self._method}' should yield one result for each of the {self._row_count} "
                f"inputs, but did not for {self._left}: index {_shown(missing)}."
            )


def _shown(indexes: Sequence[int]) -> str:
    shown = ", ".join(map(str, indexes[:_MOST_SHOWN]))
    return shown if len(indexes) <= _MOST_SHOWN else shown + ", ..."
