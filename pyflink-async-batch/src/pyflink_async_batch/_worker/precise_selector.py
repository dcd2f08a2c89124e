"""
Waits of the event loop that end when they should. epoll takes whole milliseconds and is asked for
the next one up: a coroutine that sleeps for 5.1 ms is woken after 6 ms.
"""

import select
import selectors
from typing import List, Optional, Tuple

# A longer wait that ends a millisecond late is late by less than one percent.
_PRECISE_SECONDS = 0.1
# select() takes no file descriptors from here on.
_SELECT_LIMIT = 1024


class PreciseSelector(selectors.DefaultSelector):
    """
    The platform's selector, with the resolution of select(), microseconds, for short waits. Lives
    on the event loop's thread.

    Where it is epoll, a short wait is a select() on the epoll instance, itself a file descriptor
    that is readable when there are events; how many files are open makes no difference. Other
    platforms' selectors are precise already, and so is a wait without a timeout.
    """

    def __init__(self) -> None:
        super().__init__()
        self._refines = hasattr(select, "epoll") and self.fileno() < _SELECT_LIMIT

    def select(self, timeout: Optional[float] = None) -> List[Tuple[selectors.SelectorKey, int]]:
        """As every selector's: the events that are there within ``timeout`` seconds."""
        if self._refines and timeout is not None and 0 < timeout < _PRECISE_SECONDS:
            select.select((self.fileno(),), (), (), timeout)
            timeout = 0
        return super().select(timeout)
