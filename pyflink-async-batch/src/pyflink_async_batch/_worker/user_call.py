"""Calls the user's coroutine."""

import inspect
from typing import Any

from pyflink_async_batch._worker import result_check


def method_name(function: Any, method: str) -> str:
    """The qualified name of a method of the user's function, for errors."""
    return "%s.%s" % (type(function).__name__, method)


async def invoke(function: Any, inputs: Any) -> Any:
    """
    :return: what ``async_invoke_batch`` returned, as it is.
    :raises BaseException: whatever it raised.
    """
    results = function.async_invoke_batch(inputs)
    if not inspect.isawaitable(results):
        raise result_check.InvalidResultError(
            "'%s' should return an awaitable, but returned '%s'."
            % (method_name(function, "async_invoke_batch"), type(results).__name__)
        )
    return await results
