"""How users apply a batched async function to a table."""

import inspect
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Sequence
from typing import Any, Callable, Optional, Union

from pyflink.datastream.async_retry_strategies import NO_RETRY_STRATEGY
from pyflink.datastream.functions import AsyncRetryStrategy
from pyflink.table import StreamTableEnvironment, Table
from pyflink.table.types import DataType, RowType, _to_java_data_type

from pyflink_async_batch._graph.bundled_jar import add_bundled_jar, bundled_jar_url
from pyflink_async_batch._graph.execution_environment import (
    default_to_this_interpreter,
    environment_configuration,
    require_execution_mode_for,
)
from pyflink_async_batch._graph.function_contract import require_async_batch_function
from pyflink_async_batch._graph.function_payload import pickled_function, pickled_retry_strategy
from pyflink_async_batch._graph.table_transformation import (
    j_join,
    j_result_type,
    j_rows,
    require_columns,
    require_table_and_columns,
    table_of,
)
from pyflink_async_batch._graph.transformation import OutputMode, apply_transformation
from pyflink_async_batch.errors import (
    InvalidOptionError,
    InvalidOptionTypeError,
    qualified_name,
)
from pyflink_async_batch.function import ArrowAsyncBatchFunction, AsyncBatchFunction
from pyflink_async_batch.option_checks import MAX_JAVA_INT, DurationLike, positive_int
from pyflink_async_batch.options import (
    DEFAULT_CAPACITY,
    AsyncBatchOptions,
    WorkerRestart,
)
from pyflink_async_batch.overload_options import (
    AdaptiveConcurrency,
    CircuitBreaker,
    Hedging,
    RetryBudget,
)
from pyflink_async_batch.resources import GpuResources
from pyflink_async_batch.table_batch_inference import batch_inference

__all__ = ["AsyncBatchUdf", "async_batch_udf", "batch_inference", "use_async_batch_models"]

Coroutine = Callable[[list[Any]], Awaitable[list[Any]]]
Decorated = Union["AsyncBatchFunction[Any, Any]", type, Coroutine]


class AsyncBatchUdf:
    """
    A batched async function with all that its calls have in common, made by
    :func:`async_batch_udf`. Call it with a table and the columns that the function takes.
    """

    def __init__(
        self,
        function: "AsyncBatchFunction[Any, Any]",
        result_type: DataType,
        result_name: str,
        output_mode: OutputMode,
        options: AsyncBatchOptions,
        retry: AsyncRetryStrategy,
    ) -> None:
        self._function = function
        self._result_type = result_type
        self._result_name = None if isinstance(result_type, RowType) else result_name
        self._output_mode = output_mode
        self._options = options
        self._retry = retry
        self.__name__ = result_name

    def __call__(self, table: Table, *columns: str) -> Table:
        """
        Adds the function's results to a table.

        :param table: Of a ``StreamTableEnvironment`` in streaming mode. It may only append rows.
                      Time attributes keep their watermarks.
        :param columns: What the function takes: plain values of one column, or a ``Row`` of
                        several, in this order.
        :return: A table with the columns of the input, and those of the result after them.
        :raises AsyncBatchError: The table, a column or the environment is not accepted.
        """
        require_table_and_columns(table, columns)
        positions = require_columns(table, columns, self._result_columns())
        j_configuration = environment_configuration(table._t_env._get_j_env())
        require_execution_mode_for(self._options, j_configuration)
        # The gateway finds the Java side in it.
        add_bundled_jar(j_configuration)
        default_to_this_interpreter(j_configuration)
        j_data_type = _to_java_data_type(self._result_type)
        j_results = apply_transformation(
            j_rows(table),
            j_result_type(j_data_type),
            self._output_mode,
            self._options,
            qualified_name(type(self._function)),
            pickled_function(self._function),
            pickled_retry_strategy(self._retry),
            isinstance(self._function, ArrowAsyncBatchFunction),
            j_join(positions, self._result_name),
        )
        return table_of(j_results, table, j_data_type, self._result_name)

    def _result_columns(self) -> Sequence[str]:
        if self._result_name is None:
            return list(self._result_type.names)
        return [self._result_name]


def async_batch_udf(
    function: Optional[Decorated] = None,
    *,
    result_type: DataType,
    batch_size: int,
    timeout: DurationLike,
    batch_timeout: Optional[DurationLike] = None,
    concurrency: Union[int, str, AdaptiveConcurrency] = DEFAULT_CAPACITY,
    backend: Optional[str] = None,
    circuit_breaker: Optional[CircuitBreaker] = None,
    retry_budget: Optional[RetryBudget] = None,
    hedging: Optional[Hedging] = None,
    retry: Optional[AsyncRetryStrategy] = None,
    ordered: bool = False,
    resources: Optional[GpuResources] = None,
    worker: str = "own",
    worker_restart: Optional[WorkerRestart] = None,
    stall_timeout: Optional[DurationLike] = None,
    on_failure: str = "fail",
    isolate: bool = False,
    result_name: Optional[str] = None,
    name: Optional[str] = None,
) -> Any:
    """
    Makes a batched async function one of the Table API, with what its calls have in common.

    ::

        >>> @async_batch_udf(result_type=DataTypes.ARRAY(DataTypes.FLOAT()), batch_size=32,
        ...                  timeout=timedelta(seconds=30))
        ... class embedding(AsyncBatchFunction):
        ...     async def async_invoke_batch(self, inputs):
        ...         return await self.client.embed(inputs)
        ...
        >>> embedding(documents, "text").execute().print()

    Batches are those of :class:`~pyflink_async_batch.AsyncDataStream`, with its guarantees: rows in
    flight are part of every checkpoint, and no checkpoint waits for them.

    :param function: A class that is made without arguments, an instance, or a coroutine function
                     that takes and returns a list. Left out where this is a decorator.
    :param result_type: Of one result, as ``DataTypes`` has them. A ``ROW`` adds its fields as
                        columns, any other type one column. A result that is ``None`` where the type
                        says ``NOT NULL`` fails the job.
    :param batch_size: The most rows of one batch.
    :param timeout: How long one batch may take from its dispatch, over all attempts.
    :param batch_timeout: How long the first row of a batch waits at most for the others. By default
                          a batch that is not full waits for more rows or the end of the input.
    :param concurrency: The most batches of a subtask in flight at a time; or ``"adaptive"``, or an
                        :class:`~pyflink_async_batch.AdaptiveConcurrency`, for a number of calls
                        that is found from how long they take and how they end.
    :param backend: The name of what is called: subtasks of a TaskManager that name the same one
                    share adaptive concurrency, circuit breaker and retry budget.
    :param circuit_breaker: When calls stop because the backend fails; by default never.
    :param retry_budget: How many calls are repeated, as a share of those that succeed; by default
                         as many as ``retry`` asks for.
    :param hedging: When a batch that takes long is called for a second time while its first call
                    goes on; by default never. Needs a ``retry_budget``, and a function that is
                    idempotent: it is called twice for the same rows.
    :param retry: When to repeat calls; by default never.
    :param ordered: Whether rows leave in the order in which they came.
    :param resources: The GPUs that each subtask needs.
    :param worker: ``"own"`` or ``"shared"``.
    :param worker_restart: What follows the death of a worker; by default the task fails.
    :param stall_timeout: How long a worker's event loop may be blocked; by default 10 seconds more
                          than ``timeout``.
    :param on_failure: ``"fail"``, the default, fails the job where a row has no result; ``"skip"``
                       leaves such rows out, counted. A table has no side output for dead letters:
                       have the function return a result that says what went wrong.
    :param isolate: Whether a call that fails is followed by calls for its halves, until the rows
                    that make it fail stand alone.
    :param result_name: The name of the one column; by default the function's.
    :param name: The name of the operator.
    :return: An :class:`AsyncBatchUdf`, or a decorator that makes one.
    :raises AsyncBatchError: An argument is not accepted.
    """
    if not isinstance(result_type, DataType):
        raise InvalidOptionTypeError(
            "result_type", result_type, "a pyflink.table.types.DataType, such as DataTypes.FLOAT()"
        )
    if on_failure == "dead_letter":
        raise InvalidOptionError(
            "on_failure", on_failure, "'fail' or 'skip': a table has no side output"
        )
    is_shared = circuit_breaker is not None or retry_budget is not None
    if backend is not None and not is_shared and not _is_adaptive(concurrency):
        # As there is a number always, and it is the capacity.
        raise InvalidOptionError(
            "backend",
            backend,
            "left out without an adaptive concurrency, a circuit_breaker and a retry_budget",
        )
    options = AsyncBatchOptions.of(
        timeout=timeout,
        batch_size=batch_size,
        batch_timeout=batch_timeout,
        capacity=_capacity(concurrency),
        concurrency=concurrency if _is_adaptive(concurrency) else None,
        backend=backend,
        circuit_breaker=circuit_breaker,
        retry_budget=retry_budget,
        hedging=hedging,
        resources=resources,
        worker=worker,
        worker_restart=worker_restart,
        stall_timeout=stall_timeout,
        on_failure=on_failure,
        isolate=isolate,
        name=name,
    )
    strategy = NO_RETRY_STRATEGY if retry is None else retry
    pickled_retry_strategy(strategy)

    def decorate(decorated: Decorated) -> AsyncBatchUdf:
        instance = _instance(decorated)
        require_async_batch_function(instance)
        return AsyncBatchUdf(
            instance,
            result_type,
            result_name or _name_of(decorated),
            OutputMode.ORDERED if ordered else OutputMode.UNORDERED,
            options,
            strategy,
        )

    return decorate if function is None else decorate(function)


def use_async_batch_models(table_environment: StreamTableEnvironment) -> None:
    """
    Lets the statements of a table environment name models whose provider is ``'async-batch'``: adds
    the jar that this package carries to the session, and so to its jobs. Workers of local jobs use
    this interpreter, unless the session says otherwise.

    :raises AsyncBatchError: It is no ``StreamTableEnvironment``, or the jar is missing.
    """
    if not isinstance(table_environment, StreamTableEnvironment):
        raise InvalidOptionTypeError(
            "table_environment", table_environment, "a pyflink.table.StreamTableEnvironment"
        )
    jar = urllib.request.url2pathname(urllib.parse.urlparse(bundled_jar_url()).path)
    table_environment.execute_sql("ADD JAR '%s'" % jar.replace("'", "''"))
    default_to_this_interpreter(environment_configuration(table_environment._get_j_env()))


def _is_adaptive(concurrency: Any) -> bool:
    return isinstance(concurrency, (str, AdaptiveConcurrency))


def _capacity(concurrency: Any) -> Any:
    if not _is_adaptive(concurrency):
        return positive_int("concurrency", concurrency, MAX_JAVA_INT)
    bounds = (
        (concurrency.least, concurrency.most or 0, concurrency.initial or 0)
        if isinstance(concurrency, AdaptiveConcurrency)
        else ()
    )
    return max((DEFAULT_CAPACITY, *bounds))


def _instance(decorated: Any) -> Any:
    if inspect.iscoroutinefunction(decorated):
        return _OfCoroutineFunction(decorated)
    if isinstance(decorated, type) and issubclass(decorated, AsyncBatchFunction):
        return decorated()
    return decorated


def _name_of(decorated: Any) -> str:
    name = getattr(decorated, "__name__", None)
    return name if isinstance(name, str) else type(decorated).__name__


class _OfCoroutineFunction(AsyncBatchFunction[Any, Any]):
    """Calls a coroutine function for each batch."""

    def __init__(self, coroutine_function: Coroutine) -> None:
        self._coroutine_function = coroutine_function

    async def async_invoke_batch(self, inputs: list[Any]) -> list[Any]:
        return await self._coroutine_function(inputs)
