"""The function that users write."""

from abc import abstractmethod
from typing import Generic, TypeVar

from pyflink.datastream.functions import Function, RuntimeContext

from pyflink_async_batch.errors import qualified_name

__all__ = ["AsyncBatchFunction"]

IN = TypeVar("IN")
OUT = TypeVar("OUT")


class AsyncBatchFunction(Function, Generic[IN, OUT]):  # type: ignore[misc]
    """
    A function that maps a batch of elements to equally many results with one asynchronous
    operation, such as one request to a model.

    ::

        >>> class Classify(AsyncBatchFunction):
        ...     def open(self, runtime_context):
        ...         self.model = load()
        ...
        ...     async def async_invoke_batch(self, inputs):
        ...         return await predict(self.model, inputs)
        ...
        >>> AsyncDataStream.unordered_wait_batch(
        ...     ds, Classify(), timeout=Time.seconds(30), batch_size=32,
        ...     batch_timeout=Time.milliseconds(100), output_type=Types.FLOAT())

    An instance is pickled when it is handed to
    :class:`~pyflink_async_batch.AsyncDataStream` and unpickled in one worker process for each
    parallel subtask. What cannot be pickled belongs in :func:`open`.

    **Threading.** Every method is called on the one thread of its worker, which runs one event
    loop: several coroutines of :func:`async_invoke_batch` are in flight at a time, but only one
    of them runs at any moment, so they may share attributes without a lock as long as no
    ``await`` stands between reading and writing one. Nothing may block the event loop: while
    ``time.sleep``, a synchronous HTTP client or a long computation runs, no other batch makes
    progress, no result leaves the worker, and no timeout can cancel anything. Hand such work to a
    thread (``await asyncio.to_thread(...)``) or use an asynchronous client.
    """

    def open(self, runtime_context: RuntimeContext) -> None:
        """
        Called once in the worker before the first batch. Loads models, opens clients.

        :param runtime_context: Gives the subtask's index, the parallelism, the attempt number, job
                                parameters and the metric group. There is no keyed state.
        """

    @abstractmethod
    async def async_invoke_batch(self, inputs: list[IN]) -> list[OUT]:
        """
        Handles one batch. Must be declared as 'async def'.

        An exception raised here fails the job; its message and traceback are in the text of the
        exception that ``execute()`` raises. The coroutine is cancelled, so that
        :class:`asyncio.CancelledError` is raised at its ``await``, when ``timeout`` has passed
        since the batch was dispatched and when the job is cancelled; ``finally`` blocks run.

        :param inputs: Between 1 and ``batch_size`` elements, in the order of the stream. The list
                       belongs to this call: changing it, or the values in it, affects nothing else.
        :return: A list of exactly as many results as there are inputs, the result of ``inputs[i]``
                 at index ``i``, each of ``output_type``. A ``None`` instead of a list, a list of
                 another length, or another kind of object such as a ``str``, a ``dict`` or a
                 generator fails the job.
        """

    def timeout_batch(self, inputs: list[IN]) -> list[OUT]:
        """
        Called on the worker's event loop, after the coroutine was cancelled, when
        :func:`async_invoke_batch` has not returned before ``timeout``. What it returns stands in
        for the results and must have the same shape. It is not declared as 'async def' and must
        not block.

        By default it raises a :class:`TimeoutError`, which fails the job.

        :param inputs: The elements of the batch, as :func:`async_invoke_batch` got them.
        :return: A list of exactly as many results as there are inputs.
        """
        raise TimeoutError(
            f"Async function call of class '{qualified_name(type(self))}' has timed out for a "
            f"batch of {len(inputs)} inputs."
        )

    def close(self) -> None:
        """
        Called once in the worker after the last batch, also when the job failed or was cancelled,
        unless the worker itself died.
        """
