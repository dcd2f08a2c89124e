"""One batch on its way through the user's coroutine, from its inputs to its answer."""

import asyncio
from typing import Any, Awaitable, Callable, Optional

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import result_check, user_call
from pyflink_async_batch._worker.answerer import Answerer
from pyflink_async_batch._worker.early_rows import EarlyRows
from pyflink_async_batch._worker.merged_calls import RepeatAloneError
from pyflink_async_batch._worker.retry_policy import RetryPolicy

Failure = async_batch_pb2.Failure

# How long a cancelled coroutine may clean up before timeout_batch runs without waiting for it.
_CANCEL_SECONDS = 1.0


class BatchInvocation:
    """
    A running ``async_invoke_batch`` call and, if its deadline passes, the ``timeout_batch`` call
    that replaces it. Lives on the event loop's thread.

    :param function: the user's function.
    :param answerer: sends the one answer of each call.
    :param retry: decides which calls are repeated; None for none.
    :param call: has the function handle inputs, and what it yields taken; None to call it for this
                 batch alone.
    """

    def __init__(
        self,
        function: Any,
        answerer: Answerer,
        retry: Optional[RetryPolicy] = None,
        call: Optional[Callable[[Any, EarlyRows], Awaitable[Any]]] = None,
    ) -> None:
        self._function = function
        self._answerer = answerer
        self._retry = retry
        self._call = call
        self._task: Optional[asyncio.Task[None]] = None
        self._early: Optional[EarlyRows] = None
        self._wanted = True

    def invoke(self, request: Any, inputs: Any) -> "asyncio.Task[None]":
        """Starts the user's coroutine."""
        self._task = asyncio.get_running_loop().create_task(self._invoke(request, inputs))
        return self._task

    def time_out(self, request: Any, inputs: Any) -> "asyncio.Task[None]":
        """Cancels the user's coroutine and starts ``timeout_batch`` in its place."""
        cancelled = self._task
        self.cancel()
        self._wanted = True
        self._task = asyncio.get_running_loop().create_task(
            self._time_out(request, inputs, cancelled)
        )
        return self._task

    def cancel(self) -> None:
        """Cancels what runs; nothing is answered any more."""
        self._wanted = False
        if self._early is not None:
            self._early.discard()
        if self._task is not None:
            self._task.cancel()

    def is_done(self) -> bool:
        """Whether nothing runs for this batch any more."""
        return self._task is None or self._task.done()

    async def _invoke(self, request: Any, inputs: Any) -> None:
        task = asyncio.current_task()
        method = user_call.method_name(self._function, "async_invoke_batch")
        early = EarlyRows(request, self._answerer, method, self.cancel)
        self._early = early
        try:
            if self._call is not None:
                results = await self._call(inputs, early)
            else:
                results = await user_call.invoke(self._function, inputs, early.take)
        except GeneratorExit:
            raise
        except RepeatAloneError as shared:
            if self._is_wanted(task):
                early.repeat(shared.error)
        except (result_check.MergedResultError, result_check.YieldedResultError) as error:
            if self._is_wanted(task):
                early.fail(error, Failure.INVALID_RESULT)
        except BaseException as error:
            # Also CancelledError, SystemExit and KeyboardInterrupt: raised by user code they are
            # failures of a batch like any other; let through, they would strand it or end the loop.
            if self._is_wanted(task):
                early.fail(error, Failure.USER_CODE, self._retry)
        else:
            if not self._is_wanted(task):
                return
            if results is user_call.YIELDED:
                early.end()
            else:
                self._answerer.result(request, results, method, self._retry)
        finally:
            # Both refer to each other, and would be there until garbage is collected.
            if self._early is early:
                self._early = None

    def _is_wanted(self, task: Optional["asyncio.Task[None]"]) -> bool:
        """False for a coroutine that was cancelled but returned all the same."""
        return self._wanted and self._task is task

    async def _time_out(
        self, request: Any, inputs: Any, cancelled: Optional["asyncio.Task[None]"]
    ) -> None:
        method = user_call.method_name(self._function, "timeout_batch")
        try:
            if cancelled is not None and not cancelled.done():
                await asyncio.wait({cancelled}, timeout=_CANCEL_SECONDS)
            results = self._function.timeout_batch(inputs)
        except GeneratorExit:
            raise
        except BaseException as error:
            if self._wanted:
                self._answerer.failure(request, error, Failure.TIMEOUT_HANDLER)
        else:
            if self._wanted:
                self._answerer.result(request, results, method)
