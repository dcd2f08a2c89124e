"""Calls the user's coroutine."""

import inspect
from typing import Any, Callable

from pyflink_async_batch._worker import result_check


def method_name(function: Any, method: str) -> str:
    """The qualified name of a method of the user's function, for errors."""
    return "%s.%s" % (type(function).__name__, method)


#: Stands for the results of a function that yields rows instead of returning all of them.
YIELDED = object()


async def invoke(function: Any, inputs: Any, take: Callable[[Any], None]) -> Any:
    """
    :param take: called with each item that ``async_invoke_batch`` yields; what it raises ends the
                 call.
    :return: what ``async_invoke_batch`` returned, as it is, or :data:`YIELDED`.
    :raises BaseException: whatever it raised.
    """
    results = function.async_invoke_batch(inputs)
    if inspect.isawaitable(results):
        return await results
    if hasattr(results, "__aiter__"):
        await _take_all(results, take)
        return YIELDED
    raise result_check.InvalidResultError(
        "'%s' should return an awaitable, but returned '%s'."
        % (method_name(function, "async_invoke_batch"), type(results).__name__)
    )


async def _take_all(items: Any, take: Callable[[Any], None]) -> None:
    try:
        async for item in items:
            take(item)
    finally:
        # Runs what the user's code has in 'finally', now and not when garbage is collected.
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
