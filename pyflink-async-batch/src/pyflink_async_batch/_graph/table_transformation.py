"""Calls the Java side that takes a table apart into rows and makes one of the results."""

from collections.abc import Sequence
from typing import Any, Callable, Optional

from pyflink.java_gateway import get_gateway
from pyflink.table import StreamTableEnvironment, Table
from pyflink.util.exceptions import TableException

from pyflink_async_batch._graph.transformation import with_refusals_in_python
from pyflink_async_batch.errors import InvalidOptionTypeError, UnsupportedTableError

_REFUSALS = ("org.apache.flink.table.api.ValidationException",)


def require_table_and_columns(table: Any, columns: Sequence[Any]) -> None:
    """:raises InvalidOptionTypeError: It is no table that can become a stream, or they no names."""
    if not isinstance(table, Table) or not isinstance(table._t_env, StreamTableEnvironment):
        raise InvalidOptionTypeError(
            "table", table, "a pyflink.table.Table of a StreamTableEnvironment"
        )
    if not columns or not all(isinstance(column, str) for column in columns):
        raise InvalidOptionTypeError("columns", columns, "names of columns, at least one")


def require_columns(table: Table, columns: Sequence[str], result_names: Sequence[str]) -> list[int]:
    """
    :return: The positions of the columns that the function takes.
    :raises UnsupportedTableError: A column is not there, or a column of the result already is.
    """
    names = list(table.get_schema().get_field_names())
    missing = [column for column in columns if column not in names]
    if missing:
        raise UnsupportedTableError(f"The table has no column {missing[0]!r}: it has {names}.")
    twice = [name for name in result_names if name in names]
    if twice:
        raise UnsupportedTableError(
            f"The table already has a column {twice[0]!r}, which the result would add: rename "
            "one of them."
        )
    return [names.index(column) for column in columns]


def j_rows(table: Table) -> Any:
    """
    :return: The Java stream of the table's rows.
    :raises UnsupportedTableError: The table updates or deletes rows, or has a column whose values
                                   do not travel to a worker.
    """
    return refusing(lambda: _j_streams().rows(table._t_env._j_tenv, table._j_table))


def j_result_type(j_data_type: Any) -> Any:
    """
    :return: The Java type information of what the function returns.
    :raises UnsupportedTableError: Values of that type do not travel from a worker.
    """
    return refusing(lambda: _j_streams().resultType(j_data_type))


def j_join(
    positions: Sequence[int], result_name: Optional[str], most_kept: Optional[int] = None
) -> Any:
    """
    What the function takes of a row, and where its result goes.

    :param most_kept: How many of the row's columns stay, from the first; None for all.
    """
    gateway = get_gateway()
    j_positions = gateway.jvm.java.util.ArrayList()
    for position in positions:
        j_positions.add(position)
    j_join_class = gateway.jvm.io.asyncbatch.flink.table.stream.RowJoin
    if most_kept is None:
        return j_join_class(j_positions, result_name)
    return j_join_class(j_positions, result_name, most_kept)


def table_of(j_results: Any, table: Table, j_data_type: Any, result_name: Optional[str]) -> Table:
    """The results as a table: the columns of the input, and those of the result."""
    return Table(
        refusing(
            lambda: _j_streams().table(
                table._t_env._j_tenv, j_results, table._j_table, j_data_type, result_name
            )
        ),
        table._t_env,
    )


def refusing(call: Callable[[], Any]) -> Any:
    """:raises UnsupportedTableError: Flink or the Java side refuses the table or a type."""
    try:
        return with_refusals_in_python(call, _REFUSALS, UnsupportedTableError)
    except TableException as e:
        # PyFlink makes this one of Java's exception of that name, and of no other's.
        message = str(e).splitlines()[0].partition(": ")[2]
        raise UnsupportedTableError(message) from e


def _j_streams() -> Any:
    return get_gateway().jvm.io.asyncbatch.flink.table.stream.TableStreams
