"""Which parts of a piece of memory are taken."""

from bisect import bisect_left, insort
from typing import Dict, List, Optional, Tuple

#: Regions begin and end at pages, so that no two processes write to one.
PAGE_BYTES = 4096


class RegionTable:
    """
    Gives out the lowest part that is large enough, so that as few pages as possible are ever
    touched, and those again and again. Used by one thread.

    :param size: size of the memory in bytes, a multiple of :data:`PAGE_BYTES`.
    """

    def __init__(self, size: int) -> None:
        if size < PAGE_BYTES or size % PAGE_BYTES:
            raise ValueError("size must be pages, got %d" % size)
        # Disjoint (offset, size), in order, never side by side.
        self._free: List[Tuple[int, int]] = [(0, size)]
        self._taken: Dict[int, int] = {}

    def take(self, size: int) -> Optional[int]:
        """:return: where a region of at least so many bytes begins, None if there is no room."""
        needed = max(1, -(-size // PAGE_BYTES)) * PAGE_BYTES
        for i, (offset, available) in enumerate(self._free):
            if available >= needed:
                if available == needed:
                    del self._free[i]
                else:
                    self._free[i] = (offset + needed, available - needed)
                self._taken[offset] = needed
                return offset
        return None

    def give_back(self, offset: int) -> None:
        """:raises KeyError: no region that is taken begins there."""
        size = self._taken.pop(offset)
        i = bisect_left(self._free, (offset, 0))
        if i < len(self._free) and self._free[i][0] == offset + size:
            size += self._free.pop(i)[1]
        if i > 0 and sum(self._free[i - 1]) == offset:
            offset = self._free[i - 1][0]
            size += self._free.pop(i - 1)[1]
        insort(self._free, (offset, size))

    def taken_bytes(self) -> int:
        return sum(self._taken.values())
