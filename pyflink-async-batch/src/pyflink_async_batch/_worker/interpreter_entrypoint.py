"""
Entry point of Python inside the JVM: a thread of the JVM calls :func:`run` and stays in it.

Interpreter, modules and working directory belong to all subtasks of the JVM; an event loop and a
function to one.
"""

import asyncio
import gc
import os
import sys
from typing import Any, Callable

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import working_directory
from pyflink_async_batch._worker.batch_decoder import BatchDecoder
from pyflink_async_batch._worker.function_worker import FunctionWorker
from pyflink_async_batch._worker.interpreter_metrics import InterpreterMetrics
from pyflink_async_batch._worker.port_channel import PortChannel
from pyflink_async_batch._worker.precise_selector import PreciseSelector
from pyflink_async_batch._worker.protocol_version import require_own_protocol


def run(door: Any) -> None:
    """
    Runs the function until the operator ends it.

    :param door: the ``door`` of the operator's ``LoopPort``, a Java ``BiFunction``.
    """
    port = door.apply
    _tidy_search_path()
    # Importing a job that does not guard its main program must not submit it once more.
    os.environ["PYFLINK_GATEWAY_DISABLED"] = "true"
    try:
        with working_directory.entered(port("workingDirectory", None)):
            _run(port)
    finally:
        # What is in cycles may hold batches, and objects of the job's classes, for a long time.
        gc.collect()


def _tidy_search_path() -> None:
    """
    Each subtask that entered has put its job's paths in front once more; the files of jobs that
    have ended are gone.
    """
    sys.path[:] = [path for path in dict.fromkeys(sys.path) if os.path.exists(path or os.curdir)]


def _run(port: Callable[[str, Any], Any]) -> None:
    description = async_batch_pb2.UserDefinedAsyncBatchFunction.FromString(
        port("description", None)
    )
    require_own_protocol(description)
    j_group = port("metrics", None)
    channel = PortChannel(port, description)
    worker = FunctionWorker(
        description,
        channel,
        BatchDecoder(channel.input_schema),
        InterpreterMetrics(j_group) if j_group is not None else None,
    )
    loop = asyncio.SelectorEventLoop(PreciseSelector())
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(worker.serve(lambda: channel.listen(worker.on_request)))
    except BaseException as error:
        # Such as SystemExit raised in a task that user code started: asyncio lets it end the loop.
        worker.abandon(error)
        raise RuntimeError("the event loop has ended by %s" % type(error).__name__) from None
    finally:
        channel.close()
        # Not asyncio.run(): it waits without bound for whatever still runs in the default executor.
        asyncio.set_event_loop(None)
        loop.close()
