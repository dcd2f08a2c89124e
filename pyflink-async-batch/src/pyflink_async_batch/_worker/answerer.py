"""Says what became of a call: its results, its failure, or that it is to be repeated."""

from typing import Any, Optional, Protocol, Sequence

import pyarrow as pa

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import failures, result_check
from pyflink_async_batch._worker.batch_view import BatchView
from pyflink_async_batch._worker.pushback import said_by
from pyflink_async_batch._worker.result_check import InvalidResultError, Results
from pyflink_async_batch._worker.result_encoder import MisfitResultError
from pyflink_async_batch._worker.retry_policy import RetryPolicy
from pyflink_async_batch._worker.too_large import Size, said_of_size

Failure = async_batch_pb2.Failure
FrameHeader = async_batch_pb2.FrameHeader


# Their indexes have to find room in a header.
_MOST_PART_ROWS = 64 * 1024


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
    Turns what user code returned, yielded or raised into a RESULT, PART, RETRY or FAILURE.

    :param channel: takes the answers to the operator.
    :param view: checks what the function returned, and makes record batches of it.
    """

    def __init__(self, channel: AnswerChannel, view: BatchView) -> None:
        self._channel = channel
        self._view = view

    @property
    def view(self) -> BatchView:
        """What the function's batches are between it and record batches."""
        return self._view

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
        # Of rows that the function has given up no strategy is asked.
        if retry is not None and not checked.failures:
            try:
                delay = retry.delay_after_results(checked.values, request.attempt)
            except Exception as error:
                self._fail(request, error, Failure.USER_CODE)
                return
            if delay is not None:
                self._repeat(request, delay, None)
                return
        try:
            self._send(request, async_batch_pb2.RESULT, range(request.row_count), checked)
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

    def part(self, request: Any, rows: Sequence[int], results: Results) -> None:
        """
        Tells the outcome of some rows of a request.

        :param rows: their indexes.
        :param results: an outcome for each of them.
        :raises InvalidResultError: a result does not fit, or is too large for the channel.
        """
        if len(rows) > _MOST_PART_ROWS:
            self._halves(request, rows, results)
            return
        try:
            self._send(request, async_batch_pb2.PART, rows, results)
        except BatchTooLargeError as error:
            if len(rows) == 1:
                raise InvalidResultError(f"The result of index {rows[0]} is {error}") from None
            self._halves(request, rows, results)
        except MisfitResultError as error:
            raise error.at(rows[error.index]) from None
        except InvalidResultError:
            raise
        except Exception as error:
            raise InvalidResultError(
                "The results of %d rows cannot be encoded: %s" % (len(rows), _described(error))
            ) from error

    def _halves(self, request: Any, rows: Sequence[int], results: Results) -> None:
        middle = len(rows) // 2
        for some in (range(middle), range(middle, len(rows))):
            picked = self._view.pick(results, some)
            self.part(request, [rows[position] for position in some], picked)

    def rest(self, request: Any, rows: Sequence[int], results: Optional[Results]) -> None:
        """
        Tells the outcome of all rows of a request that no part has told.

        :param rows: their indexes, ascending; empty where all have been told.
        :param results: an outcome for each of them; None where all have been told.
        :raises InvalidResultError: a result does not fit, or is too large for the channel.
        """
        if results is not None and not results.failures:
            try:
                self._send(request, async_batch_pb2.RESULT, rows, results)
                return
            except Exception:
                # Nothing was sent. A part says what is wrong, or is sent in halves.
                pass
        if results is not None:
            self.part(request, rows, results)
        self._channel.send(_answer(request, async_batch_pb2.RESULT))

    def _send(self, request: Any, kind: Any, rows: Sequence[int], results: Results) -> None:
        """Where this raises for a part, nothing was sent."""
        is_part = kind == async_batch_pb2.PART
        count = len(rows) - len(results.failures)
        header = _answer(request, kind, row_count=count)
        if not results.failures:
            if is_part:
                header.rows.extend(rows)
            self._channel.send_batch(header, self._view.encode(results))
            return
        batch = self._view.encode(results) if count else None
        first, *others = failures.of_rows(
            [(rows[position], failure) for position, failure in sorted(results.failures.items())]
        )
        header.row_failures.extend(first)
        if is_part:
            header.rows.extend(rows[position] for position in result_check.kept(results, len(rows)))
        else:
            # A result is the last that is said.
            self._send_failures(request, others)
        if batch is None:
            self._channel.send(header)
        else:
            self._channel.send_batch(header, batch)
        if is_part:
            self._send_failures(request, others)

    def _send_failures(self, request: Any, lists: Sequence[Any]) -> None:
        for some in lists:
            self._channel.send(_answer(request, async_batch_pb2.PART, row_failures=some))

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
        asked = None
        if kind == Failure.USER_CODE:
            pushback = said_by(error)
            if pushback is not None and pushback.is_request:
                told = failures.describe(error, Failure.OVERLOADED, pushback.millis)
                self._repeat(request, pushback.delay(request.attempt), told)
                return
            if pushback is not None:
                kind, asked = Failure.OVERLOADED, pushback.millis
            size = said_of_size(error)
            # What may only have been too much at that moment is repeated first, as any failure,
            # and a single row cannot be made smaller.
            if size is Size.TOO_LARGE or (size is not Size.NOTHING and request.row_count > 1):
                kind, asked = Failure.TOO_LARGE, None
            if size is Size.TOO_LARGE and request.row_count > 1:
                retry = None
        if retry is not None:
            try:
                delay = retry.delay_after_error(error, request.attempt)
            except Exception as raised:
                # Shows both: what the call raised, and what the predicate made of it.
                raised.__cause__ = raised.__cause__ or error
                error = raised
                if kind == Failure.OVERLOADED:
                    # That is not what the job fails for.
                    kind, asked = Failure.USER_CODE, None
            else:
                if delay is not None:
                    delay = max(delay, asked or 0)
                    self._repeat(request, delay, failures.describe(error, kind, asked))
                    return
        self._fail(request, error, kind, asked)

    def repeat(self, request: Any, error: BaseException) -> None:
        """Answers a request of a call that was shared with others, and whose fault is not known."""
        self._repeat(request, 0, failures.describe(error, Failure.USER_CODE))

    def _repeat(self, request: Any, delay: int, failure: Any) -> None:
        self._channel.send(
            _answer(request, async_batch_pb2.RETRY, failure=failure, retry_delay_millis=delay)
        )

    def _fail(
        self, request: Any, error: BaseException, kind: Any, asked: Optional[int] = None
    ) -> None:
        self._channel.send(
            _answer(request, async_batch_pb2.FAILURE, failure=failures.describe(error, kind, asked))
        )


def _described(error: Exception) -> str:
    described = failures.describe(error, Failure.INVALID_RESULT)
    return f"{described.error_class}: {described.message}"


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
