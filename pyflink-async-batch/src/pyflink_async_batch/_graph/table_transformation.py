"""Calls the Java side that takes a table apart into rows and makes one of the results."""

from collections.abc import Sequence
from typing import Any, Callable, Optional

from pyflink.java_gateway import get_gateway
from pyflink.table import Table
from pyflink.util.exceptions import TableException

from pyflink_async_batch._graph.transformation import with_refusals_in_python
from pyflink_async_batch.errors import UnsupportedTableError

_REFUSALS = ("org.apache.flink.table.api.ValidationException",)


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
    return _refusing(lambda: _j_streams().rows(table._t_env._j_tenv, table._j_table))


def j_result_type(j_data_type: Any) -> Any:
    """
    :return: The Java type information of what the function returns.
    :raises UnsupportedTableError: Values of that type do not travel from a worker.
    """
    return _refusing(lambda: _j_streams().resultType(j_data_type))


def j_join(positions: Sequence[int], result_name: Optional[str]) -> Any:
    """What the function takes of a row, and where its result goes."""
    gateway = get_gateway()
    j_positions = gateway.jvm.java.util.ArrayList()
    for position in positions:
        j_positions.add(position)
    return gateway.jvm.io.asyncbatch.flink.table.stream.RowJoin(j_positions, result_name)


def table_of(j_results: Any, table: Table, j_data_type: Any, result_name: Optional[str]) -> Table:
    """The results as a table: the columns of the input, and those of the result."""
    return Table(
        _refusing(
            lambda: _j_streams().table(
                table._t_env._j_tenv, j_results, table._j_table, j_data_type, result_name
            )
        ),
        table._t_env,
    )


def _refusing(call: Callable[[], Any]) -> Any:
    try:
        return with_refusals_in_python(call, _REFUSALS, UnsupportedTableError)
    except TableException as e:
        # PyFlink makes this one of Java's exception of that name, and of no other's.
        message = str(e).splitlines()[0].partition(": ")[2]
        raise UnsupportedTableError(message) from e


def _j_streams() -> Any:
    return get_gateway().jvm.io.asyncbatch.flink.table.stream.TableStreams
