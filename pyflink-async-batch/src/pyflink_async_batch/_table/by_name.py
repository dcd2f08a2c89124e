"""
What a model of SQL names, resolved in the worker. The job has no Python at hand that could pickle a
function, so it pickles calls of what is here.
"""

import importlib
from datetime import timedelta
from typing import Any

from pyflink_async_batch.errors import InvalidFunctionError, qualified_name
from pyflink_async_batch.function import AsyncBatchFunction
from pyflink_async_batch.retry_strategy import ExponentialBackoffRetryStrategy


def load_function(name: str) -> "AsyncBatchFunction[Any, Any]":
    """
    :param name: ``module:Class``, of a class that is made without arguments, or ``module:object``;
                 the part after the colon may have dots.
    :raises InvalidFunctionError: There is no such module or object, or it is no function.
    """
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as e:
        if e.name is not None and not f"{module}.".startswith(f"{e.name}."):
            raise
        raise InvalidFunctionError(
            f"'python.function' is '{name}', and the worker finds no module '{e.name}': 'python."
            "files' and 'python.archives' say what it gets, 'python.executable' what it has."
        ) from e
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as e:
            raise InvalidFunctionError(
                f"'python.function' is '{name}', and '{qualified_name_of(found)}' has no '{part}'."
            ) from e
    if isinstance(found, type) and issubclass(found, AsyncBatchFunction):
        found = found()
    if not isinstance(found, AsyncBatchFunction):
        raise InvalidFunctionError(
            f"'python.function' is '{name}', which should be a class that extends "
            "AsyncBatchFunction, or an instance of one, and is of class "
            f"'{qualified_name(type(found))}'."
        )
    return found


def qualified_name_of(found: Any) -> str:
    """A module's, class's or other object's name, for messages."""
    name = getattr(found, "__name__", None)
    return name if isinstance(name, str) else qualified_name(type(found))


def retry_strategy(
    max_retries: int, delay_millis: int, multiplier: int, max_delay_millis: int
) -> ExponentialBackoffRetryStrategy:
    """The strategy that a model's options ask for: whatever a call raises has it repeated."""
    return ExponentialBackoffRetryStrategy(
        max_retries,
        timedelta(milliseconds=delay_millis),
        max_delay=timedelta(milliseconds=max_delay_millis),
        multiplier=float(multiplier),
        exception_predicate=_whatever,
    )


def _whatever(error: BaseException) -> bool:
    return isinstance(error, Exception)
