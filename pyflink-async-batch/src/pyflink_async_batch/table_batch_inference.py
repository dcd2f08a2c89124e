"""Sends the rows of a table through a provider's Batch API."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Optional

from pyflink.table import Table
from pyflink.table.types import DataType, RowType

from pyflink_async_batch._graph.batch_arguments import require_codec, require_options
from pyflink_async_batch._graph.bundled_jar import add_bundled_jar
from pyflink_async_batch._graph.execution_environment import (
    default_to_this_interpreter,
    environment_configuration,
    require_execution_mode_for,
)
from pyflink_async_batch._graph.function_payload import pickled_function
from pyflink_async_batch._graph.table_batch_inference import (
    answered_requests,
    with_results_of_codec,
)
from pyflink_async_batch._graph.table_transformation import require_table_and_columns
from pyflink_async_batch.batch_codec import BatchCodec
from pyflink_async_batch.batch_options import BatchInferenceOptions
from pyflink_async_batch.errors import InvalidOptionError, InvalidOptionTypeError
from pyflink_async_batch.options import AsyncBatchOptions

__all__ = ["batch_inference"]

_DEFAULT_NAME = "batch inference"


def batch_inference(
    table: Table,
    *columns: str,
    codec: "Optional[BatchCodec[Any, Any]]" = None,
    options: Optional[BatchInferenceOptions] = None,
    result_type: Optional[DataType] = None,
    result_name: str = "response",
    name: Optional[str] = None,
) -> Table:
    """
    Sends the rows of a table through a provider's Batch API, with the guarantees of
    :class:`~pyflink_async_batch.BatchInference`: rows and jobs are in every checkpoint, a restart
    goes on with jobs that are paid, and each row's result appears once.

    ::

        >>> asked = t_env.sql_query(
        ...     "SELECT id, JSON_OBJECT('model' VALUE 'some-model', 'input' VALUE text) "
        ...     "AS request FROM reviews")
        >>> t_env.create_temporary_view("answered", batch_inference(asked, "request"))
        >>> t_env.execute_sql("SELECT id, JSON_VALUE(response, '$.output') FROM answered")

    or, with a codec::

        >>> batch_inference(reviews, "text", codec=ReviewCodec(), options=options,
        ...                 result_type=DataTypes.STRING(), result_name="verdict")

    :param table: Of a ``StreamTableEnvironment`` in streaming mode. It may only append rows. Time
                  attributes keep their watermarks, which wait for results.
    :param columns: Without a codec the one column, a ``STRING``, that holds requests as JSON; no
                    Python runs in the job then. With a codec what its methods get as ``value``:
                    plain values of one column, or a ``Row`` of several, in this order.
    :param codec: An instance of a codec. It runs in workers of ours, before and after the operator.
    :param options: How the rows go through the API. By default the ``ml.batch`` options of the
                    table environment's configuration, among them ``ml.batch.enabled``.
    :param result_type: Of the codec's results, as ``DataTypes`` has them. A ``ROW`` adds its fields
                        as columns, any other type one column. Without a codec it must be left out:
                        responses are a ``STRING`` of JSON.
    :param result_name: The name of the one column.
    :param name: The name of the operator; by default 'batch inference'.
    :return: A table with the columns of the input, and those of the result after them. With
             ``on_failure="side_output"`` rows that failed for good are in it too: without a result,
             and with a ``ROW<code, message, attempts>`` in a further column ``failure``, which is
             null in the others.
    :raises AsyncBatchError: The table, a column, an option or the environment is not accepted.
    """
    require_table_and_columns(table, columns)
    chosen = _of_environment(table) if options is None else options
    require_options(chosen)
    if not isinstance(result_name, str) or not result_name:
        raise InvalidOptionTypeError("result_name", result_name, "the name of a column")
    # A codec computes nothing that takes long.
    calls = AsyncBatchOptions.of(
        timeout=timedelta(minutes=10),
        batch_size=100,
        batch_timeout=timedelta(milliseconds=100),
        name=_DEFAULT_NAME if name is None else name,
    )
    j_configuration = environment_configuration(table._t_env._get_j_env())
    if codec is None:
        _require_requests(columns, result_type)
        # The gateway finds the Java side in it.
        add_bundled_jar(j_configuration)
        return answered_requests(table, columns[0], result_name, chosen.configuration, calls.name)
    require_codec(codec, BatchCodec)
    if not isinstance(result_type, DataType):
        raise InvalidOptionTypeError(
            "result_type", result_type, "a pyflink.table.types.DataType where there is a codec"
        )
    pickled_function(codec)
    require_execution_mode_for(calls, j_configuration)
    add_bundled_jar(j_configuration)
    default_to_this_interpreter(j_configuration)
    return with_results_of_codec(
        table,
        columns,
        codec,
        chosen,
        calls,
        result_type,
        None if isinstance(result_type, RowType) else result_name,
    )


def _of_environment(table: Table) -> BatchInferenceOptions:
    return BatchInferenceOptions.from_configuration(
        table._t_env.get_config().get_configuration().to_dict()
    )


def _require_requests(columns: Sequence[str], result_type: Any) -> None:
    if result_type is not None:
        raise InvalidOptionError(
            "result_type", result_type, "left out where there is no codec to make results"
        )
    if len(columns) != 1:
        raise InvalidOptionError(
            "columns", columns, "the one that holds requests where there is no codec"
        )
