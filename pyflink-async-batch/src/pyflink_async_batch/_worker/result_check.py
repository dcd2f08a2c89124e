"""Checks what the user's function returned for a batch, before it is encoded.

Here lives also the base of the errors about what a function returned.
"""

from typing import Any, Dict, List, Mapping, NamedTuple

from pyflink_async_batch.outcomes import RowFailure


class InvalidResultError(TypeError):
    """What the function returned cannot be the results of its batch, one for each input."""


class MergedResultError(InvalidResultError):
    """Likewise, of several batches that were handled in one call: none of them has results."""


class YieldedResultError(InvalidResultError):
    """What the function yielded are no rows of its batch, each once, with their results."""


class Results(NamedTuple):
    """
    What became of some rows.

    :param values: a result for each of them, as the function returned them; those of failed rows
                   mean nothing.
    :param failures: why rows have no result, by their position in ``values``.
    """

    values: Any
    failures: Mapping[int, RowFailure]


def kept(results: Results, count: int) -> List[int]:
    """Positions of the values that are those of rows that did not fail.

    :param count: of all values.
    """
    return [position for position in range(count) if position not in results.failures]


def of_list(values: List[Any]) -> Results:
    """What a list says of rows, a result or a :class:`RowFailure` for each."""
    failures: Dict[int, RowFailure] = {}
    # Nearly every list has none, and its classes are quickly gone through.
    if RowFailure in set(map(type, values)):
        failures = {
            position: value for position, value in enumerate(values) if type(value) is RowFailure
        }
    return Results(values, failures)


def check(results: Any, method: str, row_count: int) -> List[Any]:
    """
    :param results: what the user's method returned.
    :param method: the qualified name of that method, for the error.
    :param row_count: how many inputs it was given.
    :return: the results, known to be a list of ``row_count`` items.
    :raises InvalidResultError: if they are not.
    """
    if results is None:
        raise InvalidResultError(
            "The result of '%s' cannot be none: it should be of list type, with one item for each "
            "of the %d inputs." % (method, row_count)
        )
    if not isinstance(results, list):
        hint = " Call its 'tolist' method." if hasattr(results, "tolist") else ""
        raise InvalidResultError(
            "The result of '%s' should be of list type, with one item for each of the %d inputs, "
            "but is of type '%s'.%s" % (method, row_count, type(results).__name__, hint)
        )
    if len(results) != row_count:
        raise InvalidResultError(
            "The result of '%s' should have one item for each of the %d inputs, but has %d."
            % (method, row_count, len(results))
        )
    return results
