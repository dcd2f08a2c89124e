"""Decides by the user's strategy which calls are repeated, and after which delay."""

import copy
import pickle
from typing import Any, Callable, Optional


class RetryPolicy:
    """
    The user's ``AsyncRetryStrategy``. Asked on the event loop's thread.

    PyFlink's exponential strategy keeps its last delay in itself, where batches that are retried
    at the same time would find each other's. So each question goes to a copy, which is asked for
    the delays of the batch's attempts one after the other: the delay depends on the attempt alone.

    :param strategy: the strategy, as submitted with the job.
    """

    def __init__(self, strategy: Any) -> None:
        self._strategy = strategy

    @staticmethod
    def unpickle(payload: bytes) -> "Optional[RetryPolicy]":
        """:param payload: the pickled strategy; empty if calls are not repeated."""
        # Submitted with the job and authenticated by the control plane, as the function itself.
        return RetryPolicy(pickle.loads(payload)) if payload else None

    def delay_after_results(self, results: Any, attempt: int) -> Optional[int]:
        """Milliseconds until the call is to be repeated, or None if its results are good."""
        return self._delay(
            self._strategy.get_retry_predicate().result_predicate(), results, attempt
        )

    def delay_after_error(self, error: BaseException, attempt: int) -> Optional[int]:
        """Milliseconds until the call is to be repeated, or None if it has failed for good."""
        return self._delay(
            self._strategy.get_retry_predicate().exception_predicate(), error, attempt
        )

    def _delay(
        self, predicate: Optional[Callable[[Any], bool]], value: Any, attempt: int
    ) -> Optional[int]:
        if predicate is None or not self._strategy.can_retry(attempt) or not predicate(value):
            return None
        strategy = copy.deepcopy(self._strategy)
        delay = 0
        for earlier in range(1, attempt + 1):
            delay = int(strategy.get_backoff_time_millis(earlier))
        if delay < 0:
            raise ValueError(
                "the delay before a retry must not be negative, got %d ms from '%s'"
                % (delay, type(self._strategy).__name__)
            )
        # The operator waits no longer than the deadline anyway, and a header field has 64 bits.
        return min(delay, 2**62)
