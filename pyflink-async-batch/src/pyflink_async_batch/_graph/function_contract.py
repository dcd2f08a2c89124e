"""Checks that an object is a batched async function that a worker can call."""

import asyncio
import functools
import inspect
from collections.abc import Iterator
from typing import Any, Callable

from pyflink.datastream.functions import AsyncFunction

from pyflink_async_batch.errors import InvalidFunctionError, qualified_name
from pyflink_async_batch.function import AsyncBatchFunction


def require_async_batch_function(function: Any) -> None:
    """
    :raises InvalidFunctionError: A worker could not call the object.
    """
    if isinstance(function, type):
        _refuse_class(function)
    name = qualified_name(type(function))
    if isinstance(function, AsyncFunction):
        raise InvalidFunctionError(
            f"Class '{name}' is an AsyncFunction, which handles one element at a time: use it with "
            "AsyncDataStream.unordered_wait or ordered_wait, or make it an AsyncBatchFunction."
        )
    if not isinstance(function, AsyncBatchFunction):
        raise InvalidFunctionError(
            "The function should be an instance of a class that extends AsyncBatchFunction, got an "
            f"instance of class '{name}'."
        )
    _require_asynchronous_function("async_invoke_batch", function, name)
    _require_one_argument("async_invoke_batch", function, name)
    _require_plain_function("timeout_batch", function, name)
    _require_one_argument("timeout_batch", function, name)
    _require_plain_function("open", function, name)
    _require_plain_function("close", function, name)


def _refuse_class(cls: type) -> None:
    name = qualified_name(cls)
    if issubclass(cls, AsyncBatchFunction):
        raise InvalidFunctionError(
            f"Expected an instance of class '{name}', got the class itself: pass "
            f"'{cls.__name__}(...)'."
        )
    raise InvalidFunctionError(
        "The function should be an instance of a class that extends AsyncBatchFunction, got the "
        f"class '{name}'."
    )


def _require_asynchronous_function(method: str, function: Any, name: str) -> None:
    for layer in _layers(getattr(function, method)):
        # asyncio's check also knows functions marked by inspect.markcoroutinefunction, and those
        # compiled by Cython.
        if asyncio.iscoroutinefunction(layer) or inspect.isasyncgenfunction(layer):
            return
    raise InvalidFunctionError(
        f"Method '{method}' of class '{name}' should be declared as 'async def'."
    )


def _require_plain_function(method: str, function: Any, name: str) -> None:
    attribute = getattr(function, method)
    if not callable(attribute):
        raise InvalidFunctionError(f"Method '{method}' of class '{name}' should be callable.")
    for layer in _layers(attribute):
        if asyncio.iscoroutinefunction(layer) or inspect.isasyncgenfunction(layer):
            raise InvalidFunctionError(
                f"Method '{method}' of class '{name}' should not be declared as 'async def': "
                "nothing awaits it."
            )


def _require_one_argument(method: str, function: Any, name: str) -> None:
    try:
        signature = inspect.signature(getattr(function, method))
    except ValueError:
        # Some compiled functions have none; the first call will tell.
        return
    try:
        signature.bind([])
    except TypeError as e:
        raise InvalidFunctionError(
            f"Method '{method}' of class '{name}' should take exactly one argument, the batch of "
            f"inputs, but its signature is '{method}{signature}': {e}."
        ) from None


def _layers(attribute: Any) -> Iterator[Callable[..., Any]]:
    """A method, and what decorators, bindings and partial applications hide inside of it."""
    seen = set()
    while attribute is not None and id(attribute) not in seen:
        seen.add(id(attribute))
        yield attribute
        # The method of an object that is called like a function.
        call = inspect.getattr_static(type(attribute), "__call__", None)
        if inspect.isfunction(call):
            yield call
        attribute = _inner(attribute)


def _inner(attribute: Any) -> Any:
    if isinstance(attribute, functools.partial):
        return attribute.func
    # Where the partial method itself is not bound, its function is in the marker.
    for marker in ("_partialmethod", "__partialmethod__"):
        partial = getattr(attribute, marker, None)
        if isinstance(partial, functools.partialmethod):
            return partial.func
    if inspect.ismethod(attribute):
        return attribute.__func__
    return getattr(attribute, "__wrapped__", None)
