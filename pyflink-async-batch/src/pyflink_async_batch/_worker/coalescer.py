"""Decides which waiting batches become one call. Arithmetic alone: no event loop, no user code."""

from dataclasses import dataclass
from typing import Dict, Generic, List, Optional, Tuple, TypeVar

from pyflink_async_batch._worker.learned_limit import LearnedLimit

__all__ = ["Call", "Coalescer"]

B = TypeVar("B")


@dataclass(frozen=True)
class Call(Generic[B]):
    """
    Batches that are handled together.

    :param batches: in the order in which they came, at least one.
    :param is_full: whether the next batch that came would not have fitted in.
    """

    batches: Tuple[B, ...]
    is_full: bool


class Coalescer(Generic[B]):
    """
    A queue of batches that gives them out as calls.

    Batches never overtake each other. A full call is due at once; another one only while fewer than
    ``most_calls`` of its kind run. Until then its batches wait for others to join them, which is
    never longer than until one of those calls ends. Not thread-safe.

    :param most_rows: of a call, fewer after calls that were too large; a batch with more is a call
                      of its own.
    :param most_bytes: likewise.
    :param most_calls: calls that are not full and run at the same time.
    """

    def __init__(self, most_rows: int, most_bytes: int, most_calls: int) -> None:
        self._limit = LearnedLimit(most_rows, most_bytes)
        self._most_calls = most_calls
        self._waiting: Dict[B, Tuple[int, int]] = {}
        self._running = 0

    def add(self, batch: B, rows: int, size: int) -> None:
        """
        Puts a batch at the end of the queue.

        :param batch: told from others by its hash.
        :param size: in bytes.
        """
        self._waiting[batch] = (rows, size)

    def withdraw(self, batch: B) -> bool:
        """Takes a batch out of the queue; False if it was not waiting any more."""
        return self._waiting.pop(batch, None) is not None

    def next_call(self) -> Optional[Call[B]]:
        """The call that is due next, which counts as running from now on; None for none."""
        batches: List[B] = []
        rows, size = 0, 0
        is_full = False
        for batch, (more_rows, more_size) in self._waiting.items():
            rows += more_rows
            size += more_size
            if batches and (rows > self._limit.rows or size > self._limit.bytes):
                is_full = True
                break
            batches.append(batch)
            if rows >= self._limit.rows or size >= self._limit.bytes:
                is_full = True
                break
        if not batches or (not is_full and self._running >= self._most_calls):
            return None
        for batch in batches:
            del self._waiting[batch]
        if not is_full:
            self._running += 1
        return Call(tuple(batches), is_full)

    def too_large(self, rows: int, size: int) -> None:
        """A call of so many rows and bytes was more than the function takes at once."""
        self._limit.too_large(rows, size)

    def succeeded(self, rows: int, size: int) -> None:
        """A call of so many rows and bytes was not."""
        self._limit.succeeded(rows, size)

    def ended(self, call: Call[B]) -> None:
        """A call that was given out runs no more."""
        if not call.is_full:
            self._running -= 1
