"""What an error says of a backend that has too much to do, or is away."""

import math
import random
from typing import NamedTuple, Optional

from pyflink_async_batch import retry_later
from pyflink_async_batch._worker.too_large import causes
from pyflink_async_batch.retry_later import RetryLater

__all__ = ["Pushback", "said_by"]

# By how much the first delay is spread, and any.
_FIRST_SPREAD_MILLIS = 100
_MOST_SPREAD_MILLIS = 10_000


class Pushback(NamedTuple):
    """
    :param millis: after which a call is welcome again; None if that was not said.
    :param is_request: whether the user's code asks for the call to be repeated, whatever a strategy
                       says.
    """

    millis: Optional[int]
    is_request: bool

    def delay(self, attempt: int) -> int:
        """
        How long a call waits that is repeated on request: no less than was asked for, and longer at
        random, as others were sent away together with it; the more so the more often it was.

        :param attempt: that was sent away, from 1.
        :return: milliseconds.
        """
        most = min(_FIRST_SPREAD_MILLIS * 2 ** min(attempt - 1, 10), _MOST_SPREAD_MILLIS)
        return (self.millis or 0) + random.randint(0, most)


def said_by(error: BaseException) -> Optional[Pushback]:
    """What the error, or what it was raised from, says; None if nothing."""
    for cause in causes(error):
        if retry_later.is_overload(cause):
            seconds = retry_later.asked_for(cause)
            # Rounded up, as "not before" is what was asked for.
            millis = None if seconds is None else math.ceil(seconds * 1000)
            return Pushback(millis, isinstance(cause, RetryLater))
    return None
