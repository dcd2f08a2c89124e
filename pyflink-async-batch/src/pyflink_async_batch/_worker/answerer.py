"""Says what became of a call: its results, its failure, or that it is to be repeated."""

from typing import Any, Optional, Protocol

import pyarrow as pa

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import failures, result_check
from pyflink_async_batch._worker.batch_view import BatchView
from pyflink_async_batch._worker.retry_policy import RetryPolicy

Failure = async_batch_pb2.Failure
FrameHeader = async_batch_pb2.FrameHeader


class BatchTooLargeError(Exception):
    """A record batch is larger than the channel takes; the message says by how much."""


class AnswerChannel(Protocol):
    """Takes answers to the operator. Lives on the event loop's thread, never waits."""

    def send(self, header: Any) -> None:
        """Sends an answer that is all header."""

    def send_batch(self, header: Any, batch: pa.RecordBatch) -> None:
        """
        Sends an answer with a record batch.

        :raises BatchTooLargeError: nothing was sent.
        """


class Answerer:
    """
    Turns what user code returned or raised into a RESULT, RETRY or FAILURE.

    :param channel: takes the answers to the operator.
    :param view: checks what the function returned, and makes record batches of it.
    """

    def __init__(self, channel: AnswerChannel, view: BatchView) -> None:
        self._channel = channel
        self._view = view

    def result(
        self, request: Any, results: Any, method: str, retry: Optional[RetryPolicy] = None
    ) -> None:
        """
        Answers a request with what a user's method returned, or says why it cannot.

        :param retry: decides whether the call is to be repeated instead.
        """
        try:
            checked = self._view.check(results, method, request.row_count)
        except Exception as error:
            self._fail(request, error, Failure.INVALID_RESULT)
            return
        if retry is not None:
            try:
                delay = retry.delay_after_results(checked, request.attempt)
            except Exception as error:
                self._fail(request, error, Failure.USER_CODE)
                return
            if delay is not None:
                self._repeat(request, delay, None)
                return
        self._send_results(request, checked, method)

    def _send_results(self, request: Any, checked: Any, method: str) -> None:
        header = _answer(request, async_batch_pb2.RESULT, row_count=request.row_count)
        try:
            self._channel.send_batch(header, self._view.encode(checked))
        except BatchTooLargeError as error:
            self._fail(
                request,
                result_check.InvalidResultError(
                    "The result of '%s' for %d inputs is %s" % (method, request.row_count, error)
                ),
                Failure.INVALID_RESULT,
            )
        except Exception as error:
            # Whatever is raised, also by the results' own code such as a __reduce__ that fails.
            self._fail(request, error, Failure.INVALID_RESULT)

    def failure(
        self,
        request: Any,
        error: BaseException,
        kind: Any,
        retry: Optional[RetryPolicy] = None,
    ) -> None:
        """
        Answers a request with an exception.

        :param retry: decides whether the call is to be repeated instead.
        """
        if retry is not None:
            try:
                delay = retry.delay_after_error(error, request.attempt)
            except Exception as raised:
                # Shows both: what the call raised, and what the predicate made of it.
                raised.__cause__ = raised.__cause__ or error
                error = raised
            else:
                if delay is not None:
                    self._repeat(request, delay, failures.describe(error, kind))
                    return
        self._fail(request, error, kind)

    def _repeat(self, request: Any, delay: int, failure: Any) -> None:
        self._channel.send(
            _answer(request, async_batch_pb2.RETRY, failure=failure, retry_delay_millis=delay)
        )

    def _fail(self, request: Any, error: BaseException, kind: Any) -> None:
        self._channel.send(
            _answer(request, async_batch_pb2.FAILURE, failure=failures.describe(error, kind))
        )


def _answer(request: Any, kind: Any, **fields: Any) -> Any:
    """A header that says which request it answers."""
    return FrameHeader(
        kind=kind,
        caller=request.caller,
        batch_id=request.batch_id,
        attempt=request.attempt,
        answers=request.kind,
        **fields,
    )
