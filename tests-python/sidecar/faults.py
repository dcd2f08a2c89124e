"""
The sidecar with faults: ``python faults.py --fault WHAT@CALLS ... -- ARGUMENTS``, where the
arguments are those of the sidecar.

Faults happen to inferences, which are counted from 1. CALLS is ``N``, ``N-M``, ``N-`` for all from
the Nth on, or ``*/K`` for every Kth. WHAT is one of

- an error: ``OVERLOADED:MILLISECONDS`` with the time after which to try again, ``OUT_OF_MEMORY``,
  ``MODEL_NOT_FOUND``, ``INVALID_TENSOR``, ``DEADLINE_EXCEEDED``, ``INTERNAL``, ``UNAVAILABLE``;
- ``delay:MILLISECONDS`` before the call is begun, ``hang`` until the client gives up;
- an answer with another ``id``, ``version``, ``model``, ``dtype``, ``shape`` (a row is missing in
  it), ``truncated`` contents, ``missing`` output, or ``surplus`` output;
- ``exit``: the process ends in the middle of the call, with status 3.
"""

import argparse
import asyncio
import os
import re
import sys
from typing import Any, Awaitable, Callable, Dict, List, Tuple

import grpc
from pyflink_async_batch.sidecar import _command_line
from pyflink_async_batch.sidecar._sidecar_error import ErrorKind, SidecarError

_FAULT = re.compile(r"(?P<what>[a-zA-Z_]+)(:(?P<argument>\d+))?@(?P<calls>\S+)")


def _set_id(response: Any) -> None:
    response.id = "not-" + response.id


def _set_version(response: Any) -> None:
    response.model_version = "not-" + response.model_version


def _set_model(response: Any) -> None:
    response.model_name = "not-" + response.model_name


def _set_dtype(response: Any) -> None:
    wrong = "FP64" if response.outputs[0].datatype != "FP64" else "FP32"
    response.outputs[0].datatype = wrong


def _set_shape(response: Any) -> None:
    response.outputs[0].shape[0] -= 1


def _truncate(response: Any) -> None:
    response.raw_output_contents[0] = response.raw_output_contents[0][:-1]


def _drop_output(response: Any) -> None:
    del response.outputs[0]
    del response.raw_output_contents[0]


def _add_output(response: Any) -> None:
    output = response.outputs.add()
    output.CopyFrom(response.outputs[0])
    output.name = "surplus"
    response.raw_output_contents.append(response.raw_output_contents[0])


_CHANGES: Dict[str, Callable[[Any], None]] = {
    "id": _set_id,
    "version": _set_version,
    "model": _set_model,
    "dtype": _set_dtype,
    "shape": _set_shape,
    "truncated": _truncate,
    "missing": _drop_output,
    "surplus": _add_output,
}


class Fault:
    """
    :param written: as on the command line.
    """

    def __init__(self, written: str) -> None:
        match = _FAULT.fullmatch(written)
        if match is None:
            raise argparse.ArgumentTypeError(f"must be WHAT@CALLS, got {written}")
        self.what = match["what"]
        self.milliseconds = int(match["argument"] or 0)
        self._happens = _calls(match["calls"])
        known = {*_CHANGES, *ErrorKind.__members__, "delay", "hang", "exit"}
        if self.what not in known:
            raise argparse.ArgumentTypeError(f"must be one of {sorted(known)}, got {self.what}")

    def happens(self, call: int) -> bool:
        """Whether it happens to that call."""
        return self._happens(call)

    async def before(self) -> None:
        """What happens instead of, or before, the call."""
        seconds = self.milliseconds / 1000
        if self.what == "delay":
            await asyncio.sleep(seconds)
        elif self.what == "hang":
            await asyncio.get_running_loop().create_future()
        elif self.what == "exit":
            os._exit(3)
        elif self.what in ErrorKind.__members__:
            raise SidecarError(ErrorKind[self.what], "injected", seconds or None)

    def after(self, response: Any) -> None:
        """What happens to the answer."""
        change = _CHANGES.get(self.what)
        if change is not None:
            change(response)


def _calls(written: str) -> Callable[[int], bool]:
    every = re.fullmatch(r"\*/([1-9]\d*)", written)
    if every is not None:
        return lambda call: call % int(every[1]) == 0
    span = re.fullmatch(r"(\d+)(-(\d*))?", written)
    if span is None:
        raise argparse.ArgumentTypeError(f"must be N, N-M, N- or */K, got {written}")
    first = int(span[1])
    last = first if span[2] is None else int(span[3]) if span[3] else sys.maxsize
    return lambda call: first <= call <= last


class FaultInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Has the faults happen."""

    def __init__(self, faults: List[Fault]) -> None:
        self._faults = faults
        self._count = 0

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        handler = await continuation(handler_call_details)
        if not handler_call_details.method.endswith("/ModelInfer"):
            return handler

        async def infer(request: Any, context: Any) -> Any:
            self._count += 1
            faults = [fault for fault in self._faults if fault.happens(self._count)]
            try:
                for fault in faults:
                    await fault.before()
            except SidecarError as error:
                await context.abort(error.kind.status, str(error), tuple(error.trailers()))
            response = await handler.unary_unary(request, context)
            for fault in faults:
                fault.after(response)
            return response

        return grpc.unary_unary_rpc_method_handler(
            infer,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )


def parse(argv: List[str]) -> Tuple[List[Fault], List[str]]:
    """The faults, and the arguments of the sidecar."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fault", type=Fault, action="append", default=[])
    parser.add_argument("sidecar", nargs=argparse.REMAINDER)
    arguments = parser.parse_args(argv)
    return arguments.fault, [argument for argument in arguments.sidecar if argument != "--"]


if __name__ == "__main__":
    injected, rest = parse(sys.argv[1:])
    _command_line.main(rest, [FaultInterceptor(injected)])
