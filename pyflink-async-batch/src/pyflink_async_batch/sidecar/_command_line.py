"""The command line: ``python -m pyflink_async_batch.sidecar``."""

import argparse
import asyncio
import json
import logging
import os
import sys
import threading
from typing import Any, Dict, List, Mapping, NoReturn, Optional, Sequence

import grpc

from pyflink_async_batch._batching.dynamic_batcher import BatchLimits
from pyflink_async_batch.errors import AsyncBatchError, InvalidOptionError
from pyflink_async_batch.sidecar import _endpoint, _server
from pyflink_async_batch.sidecar._function_thread import FUNCTION_THREAD_NAME
from pyflink_async_batch.sidecar._options import SidecarOptions
from pyflink_async_batch.sidecar._signature import parse_spec
from pyflink_async_batch.sidecar._tensor_spec import TensorSpec

_MEBIBYTE = 1024 * 1024
_USAGE_STATUS = 2
# The function's thread and the server's take turns more often than Python's default of 5 ms, which
# would be added to every batch while both are busy.
_SWITCH_SECONDS = 0.0005


def main(
    argv: Optional[Sequence[str]] = None,
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
) -> NoReturn:
    """
    Runs a server. Leaves the process with 0, 1 for a failed function, 2 for wrong options.

    :param interceptors: see every call that may come in.
    """
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    sys.setswitchinterval(_SWITCH_SECONDS)
    command_line = parser()
    try:
        status = asyncio.run(_server.serve(parse(command_line, argv), interceptors))
    except AsyncBatchError as error:
        command_line.exit(_USAGE_STATUS, f"{command_line.prog}: {error}\n")
    _leave(status)


def parse(
    command_line: argparse.ArgumentParser, argv: Optional[Sequence[str]] = None
) -> SidecarOptions:
    """:raises AsyncBatchError: an option is out of its range."""
    arguments = command_line.parse_args(argv)
    try:
        limits = BatchLimits(
            max_batch_rows=arguments.max_batch_size,
            max_delay=arguments.max_batch_delay / 1000,
            max_concurrent_batches=arguments.max_concurrent_batches,
            max_queue_rows=arguments.max_queue_rows,
            max_queue_bytes=arguments.max_queue_bytes,
        )
    except ValueError as error:
        command_line.error(str(error))
    return SidecarOptions(
        model=arguments.model,
        endpoints=[_endpoint.parse(written) for written in arguments.endpoint],
        limits=limits,
        model_name=arguments.model_name or arguments.model.rpartition(":")[2],
        model_version=arguments.model_version,
        model_arguments=_pairs("--model-arg", arguments.model_arg, json.loads),
        parameters=_pairs("--parameter", arguments.parameter, str),
        inputs=_specs("--inputs", arguments.inputs),
        outputs=_specs("--outputs", arguments.outputs),
        max_message_bytes=arguments.max_message_bytes,
        grace=arguments.grace,
        tls_certificate=arguments.tls_certificate,
        tls_key=arguments.tls_key,
        token_file=arguments.token_file,
        metrics_port=arguments.metrics_port,
    )


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    command_line = argparse.ArgumentParser(
        prog="python -m pyflink_async_batch.sidecar",
        description="Hosts a batched function as a model of the Open Inference Protocol.",
        allow_abbrev=False,
    )
    add = command_line.add_argument
    add("--model", required=True, metavar="MODULE:CLASS", help="the function's class")
    add(
        "--model-arg",
        action="append",
        default=[],
        metavar="KEY=JSON",
        help="an argument of the class",
    )
    add("--model-name", metavar="NAME", help="by which clients ask for it; the class's by default")
    add("--model-version", default="1", metavar="VERSION", help="its only version (%(default)s)")
    add(
        "--parameter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="what the function sees as a job parameter",
    )
    for side in ("inputs", "outputs"):
        add(
            f"--{side}",
            nargs="+",
            metavar="NAME=DATATYPE:-1,DIM,...[:text]",
            help=f"its {side}, instead of what the class declares",
        )
    add(
        "--endpoint",
        action="append",
        required=True,
        metavar="ENDPOINT",
        help="unix:///path/of/socket or host:port; may be given more than once",
    )
    add("--max-batch-size", type=int, default=64, metavar="ROWS", help="(%(default)s)")
    add(
        "--max-batch-delay",
        type=float,
        default=0.0,
        metavar="MILLISECONDS",
        help="what a partial batch waits for more rows while a place is free (%(default)s)",
    )
    add("--max-concurrent-batches", type=int, default=2, metavar="BATCHES", help="(%(default)s)")
    add("--max-queue-rows", type=int, default=4096, metavar="ROWS", help="(%(default)s)")
    add(
        "--max-queue-bytes",
        type=int,
        default=256 * _MEBIBYTE,
        metavar="BYTES",
        help="(%(default)s)",
    )
    add(
        "--max-message-bytes",
        type=_positive,
        default=64 * _MEBIBYTE,
        metavar="BYTES",
        help="largest message, in and out (%(default)s)",
    )
    add(
        "--grace",
        type=_seconds,
        default=30.0,
        metavar="SECONDS",
        help="what calls have to end after SIGTERM (%(default)s)",
    )
    add("--tls-certificate", metavar="FILE", help="PEM, for TCP endpoints")
    add("--tls-key", metavar="FILE", help="PEM, for TCP endpoints")
    add("--token-file", metavar="FILE", help="the token that clients over TCP must show")
    add("--metrics-port", type=_port, metavar="PORT", help="Prometheus metrics, on 127.0.0.1")
    return command_line


def _pairs(option: str, written: List[str], read: Any) -> Dict[str, Any]:
    pairs = {}
    for pair in written:
        key, equals, value = pair.partition("=")
        try:
            pairs[key] = read(value)
        except ValueError:
            equals = ""
        if not key or not equals:
            # Without the value, which may be a secret.
            raise InvalidOptionError(option, key, "a key, '=' and its value")
    return pairs


def _specs(option: str, written: Optional[List[str]]) -> Optional[Mapping[str, TensorSpec]]:
    if written is None:
        return None
    specs: Dict[str, TensorSpec] = {}
    for spec in written:
        specs.update(parse_spec(option, spec))
    return specs


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {value}")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be at least 0 and finite, got {value}")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"must be 0 to 65535, got {value}")
    return value


def _leave(status: int) -> NoReturn:
    blocked = [thread for thread in threading.enumerate() if thread.name == FUNCTION_THREAD_NAME]
    if blocked:
        # It is in user code that does not return: native code there may crash an interpreter that
        # is being taken apart.
        logging.shutdown()
        os._exit(status)
    sys.exit(status)
