"""What a table's batch inference becomes: an operator in Java, with the codec in our workers."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Callable, Dict, Optional

from pyflink.datastream.async_retry_strategies import NO_RETRY_STRATEGY
from pyflink.java_gateway import get_gateway
from pyflink.table import DataTypes, Table
from pyflink.table.types import DataType, RowType, _to_java_data_type

from pyflink_async_batch._graph.batch_inference import with_option_names
from pyflink_async_batch._graph.function_payload import pickled_function, pickled_retry_strategy
from pyflink_async_batch._graph.table_transformation import (
    j_join,
    j_result_type,
    j_rows,
    refusing,
    require_columns,
    table_of,
)
from pyflink_async_batch._graph.transformation import OutputMode, apply_transformation
from pyflink_async_batch._table.codec_calls import RequestsOfRows, ResultsOfRows
from pyflink_async_batch.batch_codec import BatchCodec
from pyflink_async_batch.batch_options import BatchInferenceOptions
from pyflink_async_batch.errors import qualified_name
from pyflink_async_batch.function import AsyncBatchFunction
from pyflink_async_batch.options import AsyncBatchOptions

#: Columns between the operators, which no table has.
_REQUESTED = DataTypes.ROW(
    [
        DataTypes.FIELD("async_batch_request", DataTypes.STRING()),
        DataTypes.FIELD("async_batch_refusal", DataTypes.STRING()),
    ]
)


def answered_requests(
    table: Table, request_column: str, response_name: str, configuration: Dict[str, str], name: str
) -> Table:
    """
    :return: The table with a column of the responses to the requests that a column holds.
    :raises InvalidFunctionError: Java refuses an option.
    :raises UnsupportedTableError: It refuses the table or a column.
    """
    return Table(
        _refusing(
            lambda: _j_inference().ofRequests(
                table._t_env._j_tenv,
                table._j_table,
                request_column,
                response_name,
                configuration,
                name,
            )
        ),
        table._t_env,
    )


def with_results_of_codec(
    table: Table,
    columns: Sequence[str],
    codec: "BatchCodec[Any, Any]",
    options: BatchInferenceOptions,
    calls: AsyncBatchOptions,
    result_type: DataType,
    result_name: Optional[str],
) -> Table:
    """
    :param columns: What the codec takes.
    :param calls: How the codec's calls are batched.
    :param result_name: Of the column that results make; None if they are rows.
    :return: The table with the columns of the results.
    :raises InvalidFunctionError: Java refuses an option.
    :raises UnsupportedTableError: It refuses the table or a column.
    """
    configuration = options.configuration
    puts_aside = options.puts_failures_aside
    positions = require_columns(table, columns, [])
    kept = len(table.get_schema().get_field_names())
    j_added = _refusing(
        lambda: _j_inference().added(
            table._j_table, _to_java_data_type(result_type), result_name, configuration
        )
    )
    j_requested = _called(
        j_rows(table),
        RequestsOfRows(codec, puts_aside),
        codec,
        _to_java_data_type(_REQUESTED),
        dataclasses.replace(calls, name=f"{calls.name}: requests"),
        j_join(positions, None),
    )
    j_answered = _refusing(
        lambda: _j_inference().answered(j_requested, kept, configuration, calls.name)
    )
    results = ResultsOfRows(
        codec,
        puts_aside,
        list(columns),
        len(result_type.names) if isinstance(result_type, RowType) else 1,
        result_name is None,
    )
    answers = [kept, kept + 1] if puts_aside else [kept]
    j_results = _called(
        j_answered,
        results,
        codec,
        j_added,
        dataclasses.replace(calls, name=f"{calls.name}: results"),
        j_join([*positions, *answers], None, kept),
    )
    return table_of(j_results, table, j_added, None)


def _called(
    j_rows_in: Any,
    function: "AsyncBatchFunction[Any, Any]",
    codec: "BatchCodec[Any, Any]",
    j_data_type: Any,
    calls: AsyncBatchOptions,
    j_joined: Any,
) -> Any:
    return apply_transformation(
        j_rows_in,
        j_result_type(j_data_type),
        OutputMode.UNORDERED,
        calls,
        qualified_name(type(codec)),
        pickled_function(function),
        pickled_retry_strategy(NO_RETRY_STRATEGY),
        False,
        j_joined,
    )


def _refusing(call: Callable[[], Any]) -> Any:
    # What refuses a table extends what refuses options.
    return with_option_names(lambda: refusing(call))


def _j_inference() -> Any:
    return get_gateway().jvm.io.asyncbatch.flink.graph.PythonTableBatchInference
