"""The function that users write."""

from abc import abstractmethod
from typing import Any, Generic, TypeVar, Union

from pyflink.datastream.functions import Function, RuntimeContext

from pyflink_async_batch.errors import qualified_name
from pyflink_async_batch.outcomes import RowFailure

__all__ = ["ArrowAsyncBatchFunction", "AsyncBatchFunction"]

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
    :class:`~pyflink_async_batch.AsyncDataStream` and unpickled once for each parallel subtask, in a
    worker process of its own, or inside the TaskManager where ``python.execution-mode`` is
    'thread'. What cannot be pickled belongs in :func:`open`.

    **Threading.** Every method is called on the one thread of its subtask, which runs one event
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
    async def async_invoke_batch(self, inputs: list[IN]) -> list[Union[OUT, RowFailure]]:
        """
        Handles one batch. Must be declared as 'async def'.

        An exception raised here fails the job, unless ``on_failure``, ``isolate`` or a retry
        strategy says otherwise; its message and traceback are in the text of the exception that
        ``execute()`` raises. One that says that the batch is too large, as
        :class:`~pyflink_async_batch.BatchTooLarge` does, has the halves of the batch handled
        instead. The coroutine is cancelled, so that :class:`asyncio.CancelledError` is raised at
        its ``await``, when ``timeout`` has passed since the batch was dispatched and when the job
        is cancelled; ``finally`` blocks run.

        **Rows that leave early.** The method may also be an asynchronous generator that yields
        pairs of an index and the result of that input, in any order; annotate it as
        ``AsyncIterator[tuple[int, OUT]]``. A row leaves the operator once it is yielded, as far as
        the order of results allows, so that one that takes long does not hold the others back. It
        is not computed again if the call fails later: only the rest is repeated, or given to
        :func:`timeout_batch`. An index that is yielded twice, or is that of no input, and one that
        is missing in the end, make the results invalid. The generator is closed, so that
        ``finally`` blocks run, when nobody waits for its rows any more. The result predicate of a
        retry strategy is not asked about rows that were yielded.

        :param inputs: Between 1 and ``batch_size`` elements, in the order of the stream. The list
                       belongs to this call: changing it, or the values in it, affects nothing else.
        :return: A list of exactly as many results as there are inputs, the result of ``inputs[i]``
                 at index ``i``, each of ``output_type``, or a
                 :class:`~pyflink_async_batch.RowFailure` where there is none. A ``None`` instead of
                 a list, a list of another length, or another kind of object such as a ``str``, a
                 ``dict`` or a generator fails the call as an exception would.
        """

    def timeout_batch(self, inputs: list[IN]) -> list[Union[OUT, RowFailure]]:
        """
        Called on the worker's event loop, after the coroutine was cancelled, when
        :func:`async_invoke_batch` has not returned before ``timeout``. What it returns stands in
        for the results and must have the same shape. It is not declared as 'async def' and must
        not block.

        By default it raises a :class:`TimeoutError`, which fails the job unless ``on_failure`` says
        otherwise.

        :param inputs: The elements of the batch that have no result yet, as
                       :func:`async_invoke_batch` got them.
        :return: A list of exactly as many results as there are inputs, or of
                 :class:`~pyflink_async_batch.RowFailure` in their place.
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


class ArrowAsyncBatchFunction(AsyncBatchFunction[Any, Any]):
    """
    An :class:`AsyncBatchFunction` whose batches are Arrow's columns instead of lists of Python
    values, so that numbers, images and tensors reach numpy, torch or onnxruntime without a Python
    object for each row, and mostly without a copy.

    ::

        >>> class Embed(ArrowAsyncBatchFunction):
        ...     async def async_invoke_batch(self, images):
        ...         tensors = tensor_batch(images, (3, 224, 224), "float32")
        ...         return await asyncio.to_thread(self.embed, tensors)  # shape (rows, 512)
        ...
        >>> AsyncDataStream.unordered_wait_batch(
        ...     images, Embed(), timeout=Time.seconds(30), batch_size=64,
        ...     output_type=Types.PRIMITIVE_ARRAY(Types.FLOAT()))

    What a batch is depends on the type of the stream, and what the results are on
    ``output_type``: for a ROW or TUPLE a ``pyarrow.RecordBatch`` with the fields' names, for every
    other type a ``pyarrow.Array``. Both types must be given and hold nothing pickled: a stream or
    an ``output_type`` without a type is refused when the job is built. ``docs/columns.md`` tells
    the Arrow type of each; :mod:`pyflink_async_batch.tensors` makes tensors of columns.

    Everything else, such as pickling, threading, timeouts and failures, is as for an
    :class:`AsyncBatchFunction`. The predicate of a retry strategy sees what
    :func:`async_invoke_batch` returned: the array or record batch.
    """

    @abstractmethod
    async def async_invoke_batch(self, inputs: Any) -> Any:
        """
        Handles one batch. Must be declared as 'async def'.

        :param inputs: A ``pyarrow.Array``, or a ``pyarrow.RecordBatch`` for elements that are rows
                       or tuples, with between 1 and ``batch_size`` rows in the order of the stream.
                       It is immutable, and valid for as long as anything refers to it. The kind of
                       rows is not shown: one that is no INSERT fails the job.
        :return: As many rows as there are inputs, the result of row ``i`` in row ``i``: for single
                 values a ``pyarrow.Array``, a ``pyarrow.ChunkedArray``, or a ``numpy.ndarray`` of
                 shape ``(rows,)`` or ``(rows, d, ...)``; for rows and tuples a
                 ``pyarrow.RecordBatch`` or ``pyarrow.Table`` with exactly the fields' names, in any
                 order. Memory that it refers to must not be changed afterwards. Where some rows
                 have no result, a :class:`~pyflink_async_batch.ColumnResults`. Types that do not
                 fit ``output_type`` without a loss, nulls where it takes none, another number of
                 rows, or another kind of object such as a ``list`` fail the call as an exception
                 would.

        As an asynchronous generator it yields pairs of indexes and columns: an int, or a list, a
        range or an array of them, and what it would return for these rows.
        """

    def timeout_batch(self, inputs: Any) -> Any:
        """
        As for an :class:`AsyncBatchFunction`, with what :func:`async_invoke_batch` takes and
        returns.
        """
        return super().timeout_batch(inputs)
