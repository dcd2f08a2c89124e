"""The exceptions that this package raises before a job starts.

What goes wrong while a job runs is raised by Flink itself, from ``execute()``, with the Python
exception's message and traceback in its text.
"""

import reprlib
from typing import Any, Optional

__all__ = [
    "AsyncBatchError",
    "FunctionNotPicklableError",
    "InvalidFunctionError",
    "InvalidOptionError",
    "InvalidOptionTypeError",
    "UnsupportedEnvironmentError",
    "UnsupportedTableError",
    "UnsupportedTypeError",
]

_shortened = reprlib.Repr()
_shortened.maxstring = _shortened.maxlong = _shortened.maxother = 80


class AsyncBatchError(Exception):
    """The base class of every exception that this package raises while a job is being built."""


class InvalidOptionError(AsyncBatchError, ValueError):
    """An option has a value outside of its range.

    :param option: The name of the option.
    :param value: The refused value.
    :param accepted: What the option must be.
    """

    def __init__(self, option: str, value: Any, accepted: str) -> None:
        super().__init__(option, value, accepted)
        self.option = option
        self.value = value
        self.accepted = accepted

    def __str__(self) -> str:
        return f"{self.option} must be {self.accepted}, got {_shortened.repr(self.value)}."


class InvalidOptionTypeError(AsyncBatchError, TypeError):
    """An option has a value of a wrong type.

    :param option: The name of the option.
    :param value: The refused value.
    :param accepted: What the option must be.
    """

    def __init__(self, option: str, value: Any, accepted: str) -> None:
        super().__init__(option, value, accepted)
        self.option = option
        self.value = value
        self.accepted = accepted

    def __str__(self) -> str:
        return (
            f"{self.option} must be {self.accepted}, got {_shortened.repr(self.value)} "
            f"of type '{qualified_name(type(self.value))}'."
        )


class InvalidFunctionError(AsyncBatchError, TypeError):
    """An object cannot be used as an :class:`~pyflink_async_batch.AsyncBatchFunction`.

    :param problem: A sentence that names the class and what is wrong with it.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class FunctionNotPicklableError(InvalidFunctionError):
    """A function cannot be sent to the workers, because it, or something it refers to, cannot be
    pickled.

    The exception of the pickler is its ``__cause__``.

    :param function_name: The name of the function's class.
    :param culprits: Descriptions of the parts that cannot be pickled, empty where none was found.
    :param reason: The message of the pickler.
    """

    def __init__(
        self, function_name: str, culprits: Optional[list[str]] = None, reason: str = ""
    ) -> None:
        self.function_name = function_name
        self.culprits = list(culprits or ())
        self.reason = reason
        message = f"An instance of class '{function_name}' cannot be pickled"
        if self.culprits:
            message += " because of " + ", ".join(self.culprits)
        if reason:
            message += f": {reason}"
        message += (
            ". Create what cannot be pickled, such as clients, locks and models, in 'open', "
            "which runs in the worker."
        )
        super().__init__(message)
        self.args = (function_name, self.culprits, reason)

    def __str__(self) -> str:
        return self.problem


class UnsupportedTypeError(AsyncBatchError, TypeError):
    """The type of the input stream or ``output_type`` cannot be carried to and from a worker.

    :param reason: A sentence that names the type.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedTableError(AsyncBatchError, ValueError):
    """A table, a column or the type of a result cannot be used with an
    :class:`~pyflink_async_batch.table.AsyncBatchUdf`.

    :param reason: A sentence that says what was found and what is accepted.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class UnsupportedEnvironmentError(AsyncBatchError, RuntimeError):
    """The installation or the configuration that the job is built with cannot run batched async
    functions.

    :param reason: A sentence that says what was found and what is needed.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def qualified_name(cls: type) -> str:
    """The name by which errors and logs call a class."""
    if cls.__module__ == "builtins":
        return cls.__qualname__
    return f"{cls.__module__}.{cls.__qualname__}"
