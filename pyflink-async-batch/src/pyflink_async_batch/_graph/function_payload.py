"""Turns the user's function into the bytes that travel to the workers."""

import inspect
from collections.abc import Iterator
from typing import Any

import cloudpickle  # type: ignore[import-untyped, unused-ignore]
from pyflink.datastream.async_retry_strategies import NoRetryStrategy
from pyflink.datastream.functions import AsyncRetryStrategy

from pyflink_async_batch.errors import (
    FunctionNotPicklableError,
    InvalidOptionTypeError,
    qualified_name,
)

_METHODS = ("open", "async_invoke_batch", "timeout_batch", "close")


def pickled_function(function: Any) -> bytes:
    """
    Pickles a function the way PyFlink pickles its own.

    :raises FunctionNotPicklableError: It, or something that it refers to, cannot be pickled.
    """
    try:
        return bytes(cloudpickle.dumps(function))
    except Exception as e:
        raise FunctionNotPicklableError(
            qualified_name(type(function)), _culprits(function), _first_line(e)
        ) from e


def pickled_retry_strategy(strategy: Any) -> bytes:
    """
    :return: The pickled strategy; empty for one that repeats no call.
    :raises InvalidOptionTypeError: It is no retry strategy, or cannot be pickled.
    """
    accepted = "a pyflink.datastream.functions.AsyncRetryStrategy"
    if not isinstance(strategy, AsyncRetryStrategy):
        raise InvalidOptionTypeError("async_retry_strategy", strategy, accepted)
    if isinstance(strategy, NoRetryStrategy):
        return b""
    try:
        return bytes(cloudpickle.dumps(strategy))
    except Exception as e:
        raise InvalidOptionTypeError(
            "async_retry_strategy", strategy, f"{accepted} that can be pickled ({_first_line(e)})"
        ) from e


def require_picklable(option: str, value: Any) -> None:
    """:raises InvalidOptionTypeError: The function that an option is cannot be pickled."""
    try:
        cloudpickle.dumps(value)
    except Exception as e:
        raise InvalidOptionTypeError(
            option, value, f"a function that can be pickled ({_first_line(e)})"
        ) from e


def _culprits(function: Any) -> list[str]:
    """The parts of a function that cannot be pickled by themselves."""
    found = [
        f"attribute '{name}' of type '{qualified_name(type(value))}'"
        for name, value in _attributes(function).items()
        if not _is_picklable(value)
    ]
    if found:
        return found
    return [
        f"variable '{name}' of type '{qualified_name(type(value))}', used by method '{method}'"
        for method, name, value in _captured_variables(function)
        if not _is_picklable(value)
    ]


def _attributes(function: Any) -> dict[str, Any]:
    return dict(getattr(function, "__dict__", {}))


def _captured_variables(function: Any) -> Iterator[tuple[str, str, Any]]:
    """Closure and global variables: pickled too, where a class is pickled by value."""
    for method in _METHODS:
        try:
            variables = inspect.getclosurevars(getattr(type(function), method))
        except TypeError:
            continue
        for name, value in {**variables.globals, **variables.nonlocals}.items():
            yield method, name, value


def _is_picklable(value: Any) -> bool:
    try:
        cloudpickle.dumps(value)
    except Exception:
        return False
    return True


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
