"""Rows of a call that leave before it ends: those that the function has yielded."""

import asyncio
import logging
from typing import Any, Callable, List, Optional, Sequence

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker.answerer import Answerer
from pyflink_async_batch._worker.batch_view import Piece
from pyflink_async_batch._worker.result_check import InvalidResultError
from pyflink_async_batch._worker.retry_policy import RetryPolicy
from pyflink_async_batch._worker.yielded_rows import YieldedIndexes

_LOGGER = logging.getLogger(__name__)

Failure = async_batch_pb2.Failure


class EarlyRows:
    """
    The rows of one call, from where they are yielded to their answers. What is yielded in one turn
    of the event loop travels together. Lives on the event loop's thread.

    :param request: the header of the INVOKE.
    :param answerer: sends the answers.
    :param method: the qualified name of the user's method, for errors.
    :param when_refused: called when rows cannot be sent, which has been answered then.
    """

    def __init__(
        self,
        request: Any,
        answerer: Answerer,
        method: str,
        when_refused: Callable[[], None],
    ) -> None:
        self._request = request
        self._answerer = answerer
        self._view = answerer.view
        self._method = method
        self._when_refused = when_refused
        self._indexes: Optional[YieldedIndexes] = None
        self._pending: List[Piece] = []
        self._is_over = False

    def take(self, item: Any) -> None:
        """
        Takes what the function has yielded.

        :raises YieldedResultError: it is no row of the call, or one that was there before.
        :raises CancelledError: nobody waits for the call any more.
        """
        if self._is_over:
            raise asyncio.CancelledError
        self.take_rows(*self._view.yielded(item, self._method))

    def take_rows(self, rows: Sequence[int], results: Any) -> None:
        """
        Takes the outcome of some rows, if anybody still waits for it.

        :param rows: their indexes.
        :param results: their ``Results``.
        :raises YieldedResultError: one is no row of the call, or was there before.
        """
        if self._is_over:
            return
        if self._indexes is None:
            self._indexes = YieldedIndexes(self._method, self._request.row_count)
        self._indexes.add(rows)
        if not self._pending:
            asyncio.get_running_loop().call_soon(self._send_pending)
        self._pending.append((rows, results))

    def end(self) -> None:
        """The function has yielded its last row: answers the call."""
        indexes = self._indexes or YieldedIndexes(self._method, self._request.row_count)
        try:
            indexes.require_all()
        except InvalidResultError as error:
            self.fail(error, Failure.INVALID_RESULT)
            return
        pieces = self._view.gather(self._pending)
        self._pending = []
        # Others may still come to be before this ends.
        self._is_over = True
        try:
            for rows, results in pieces[:-1]:
                self._answerer.part(self._request, rows, results)
            if pieces:
                self._send_last(*pieces[-1])
            else:
                self._answerer.rest(self._request, [], None)
        except InvalidResultError as error:
            self._answerer.failure(self._request, error, Failure.INVALID_RESULT)

    def _send_last(self, rows: Sequence[int], results: Any) -> None:
        order = sorted(range(len(rows)), key=rows.__getitem__)
        self._answerer.rest(
            self._request,
            [rows[position] for position in order],
            self._view.pick(results, order),
        )

    def fail(self, error: BaseException, kind: Any, retry: Optional[RetryPolicy] = None) -> None:
        """The function has failed: answers the call for the rows that it did not yield."""
        if not self._send_pending():
            return
        self._is_over = True
        if self._indexes is not None and self._indexes.left == 0:
            _LOGGER.warning("%s failed after its last row", self._method, exc_info=error)
        else:
            self._answerer.failure(self._request, error, kind, retry)

    def repeat(self, error: BaseException) -> None:
        """The call is to be repeated by itself for the rows that it did not yield."""
        if not self._send_pending():
            return
        self._is_over = True
        if self._indexes is None or self._indexes.left:
            self._answerer.repeat(self._request, error)

    def discard(self) -> None:
        """Nobody waits for the call any more."""
        self._is_over = True
        self._pending = []

    def _send_pending(self) -> bool:
        """Returns False if the call has been answered: a row could not be sent."""
        if self._is_over:
            return False
        pieces = self._view.gather(self._pending)
        self._pending = []
        try:
            for rows, results in pieces:
                self._answerer.part(self._request, rows, results)
        except InvalidResultError as error:
            self._is_over = True
            self._answerer.failure(self._request, error, Failure.INVALID_RESULT)
            self._when_refused()
            return False
        return True
