"""A user's function from its class's name to its batches' results, in the function's thread."""

import asyncio
import importlib
import inspect
import logging
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from pyflink_async_batch._worker.result_check import InvalidResultError, Results
from pyflink_async_batch.errors import InvalidFunctionError, InvalidOptionError
from pyflink_async_batch.function import AsyncBatchFunction
from pyflink_async_batch.sidecar import _sidecar_error
from pyflink_async_batch.sidecar._function_view import FunctionView, Tensors, view_for
from pyflink_async_batch.sidecar._sidecar_error import ErrorKind, SidecarError
from pyflink_async_batch.sidecar._signature import Signature, signature_of
from pyflink_async_batch.sidecar._tensor_spec import TensorSpec

_LOGGER = logging.getLogger(__name__)

#: The tensors of an answer, or why there are none for this request alone.
Outcome = Union[Tensors, SidecarError]


class HostedFunction:
    """
    Every method is called in the function's thread.

    :param name: ``module:Class``.
    :param arguments: of the class, by name.
    :param inputs: instead of what the class declares.
    :param outputs: likewise.
    """

    def __init__(
        self,
        name: str,
        arguments: Optional[Mapping[str, Any]] = None,
        inputs: Optional[Mapping[str, TensorSpec]] = None,
        outputs: Optional[Mapping[str, TensorSpec]] = None,
    ) -> None:
        self._name = name
        self._arguments: Dict[str, Any] = dict(arguments or {})
        self._inputs = inputs
        self._outputs = outputs
        self._function: Any = None
        self._view: FunctionView

    async def open(self, runtime_context: Any) -> Signature:
        """
        Imports the class, makes an instance and opens it, within the running loop.

        :param runtime_context: what the function's ``open()`` gets.
        :raises Exception: what the user's code raised, or what is wrong with the class.
        """
        try:
            function = function_class(self._name)(**self._arguments)
            if inspect.isasyncgenfunction(function.async_invoke_batch):
                raise InvalidFunctionError(
                    f"'async_invoke_batch' of {self._name} yields rows one by one, and a request "
                    "to a sidecar is answered as a whole: let it return a list."
                )
            signature = signature_of(function, self._inputs, self._outputs)
            self._view = view_for(function, signature)
            function.open(runtime_context)
        except (SystemExit, KeyboardInterrupt) as error:
            # Let through, they would end the event loop, and nobody would be told.
            raise RuntimeError(f"{self._name} raised {error!r}") from error
        self._function = function
        return signature

    async def invoke(self, requests: Sequence[Tensors]) -> List[Outcome]:
        """
        Runs one batch.

        :raises SidecarError: the function failed, or did not return a result for each input.
        """
        method = f"{type(self._function).__name__}.async_invoke_batch"
        counts = [len(next(iter(request.values()))) for request in requests]
        try:
            results = self._function.async_invoke_batch(self._view.inputs(requests))
            if not inspect.isawaitable(results):
                raise InvalidResultError(
                    f"'{method}' should return an awaitable, but returned "
                    f"'{type(results).__name__}'."
                )
            checked: Results = self._view.check(await results, method, sum(counts))
        except GeneratorExit:
            raise
        except asyncio.CancelledError as error:
            # Nobody waits for the batch any more; or user code raised it, which is a failure.
            _LOGGER.info("%s was cancelled for a batch of %d rows", method, sum(counts))
            raise _sidecar_error.of_function(error) from None
        except BaseException as error:
            # Also SystemExit and KeyboardInterrupt: let through, they would end the loop. The
            # traceback stays here.
            told = _sidecar_error.of_function(error)
            if told.kind is ErrorKind.OVERLOADED:
                # No fault of its own, and there may be many.
                _LOGGER.info("%s put off a batch of %d rows: %s", method, sum(counts), told)
            else:
                _LOGGER.error(
                    "%s failed for a batch of %d rows", method, sum(counts), exc_info=error
                )
            raise told from None
        outcomes = []
        start = 0
        for count in counts:
            outcomes.append(self._outcome(checked, start, start + count))
            start += count
        return outcomes

    async def close(self) -> None:
        """Closes the function, if it was opened."""
        function, self._function = self._function, None
        if function is None:
            return
        try:
            function.close()
        except (SystemExit, KeyboardInterrupt) as error:
            raise RuntimeError(f"{self._name} raised {error!r}") from error

    def _outcome(self, checked: Results, start: int, stop: int) -> Outcome:
        failed = [index for index in sorted(checked.failures) if start <= index < stop]
        if failed:
            # A request is answered as a whole; those of others are not touched.
            return _sidecar_error.of_row(checked.failures[failed[0]])
        try:
            return self._view.outputs(checked.values, start, stop)
        except Exception as error:
            _LOGGER.error("The results of %s do not fit its outputs", self._name, exc_info=error)
            return _sidecar_error.of_function(error)


def function_class(name: str) -> Any:
    """
    :param name: ``module:Class``, with a dot before the name of a class within a class.
    :raises InvalidOptionError: it is something else, or there is no such class.
    :raises InvalidFunctionError: the class is no :class:`AsyncBatchFunction`.
    """
    module_name, colon, path = name.partition(":")
    if not colon or not module_name or not path:
        raise InvalidOptionError("--model", name, "of the form module:Class")
    found: Any = importlib.import_module(module_name)
    for part in path.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise InvalidOptionError("--model", name, f"a class in module '{module_name}'")
    if not (isinstance(found, type) and issubclass(found, AsyncBatchFunction)):
        raise InvalidFunctionError(f"--model {name} is no subclass of AsyncBatchFunction.")
    return found
