"""
Entry point of a worker process: ``python -m pyflink_async_batch._worker.entrypoint``.

Does what PyFlink's ``beam_boot`` does, behind a secret, and then runs PyFlink's own worker main.
The process leaves as soon as the JVM that started it is gone.
"""

import argparse
import contextlib
import faulthandler
import json
import logging
import os
import sys
from typing import ContextManager, Dict, List, Optional

from pyflink_async_batch._worker import gpu_share, jvm_watch, worker_secrets

# Marks a line on the standard error as a log record that Beam's logging service carries as well.
# The operator knows the mark; see WorkerOutput.
_LOG_RECORD_MARK = "\x1e"


def _reach_the_operator_without_a_proxy() -> None:
    """Keeps gRPC from looking for 127.0.0.1 behind a proxy that is meant for other hosts."""
    variable = "no_grpc_proxy"
    exceptions = os.environ.get(variable) or os.environ.get("no_proxy")
    os.environ[variable] = ",".join(filter(None, [exceptions, "127.0.0.1"]))


def _provision(worker_id: str, endpoint: str) -> Dict[str, str]:
    """Asks the operator for the options and endpoints of this worker, as environment variables."""
    import grpc
    from apache_beam.portability.api.org.apache.beam.model.fn_execution.v1 import (
        beam_provision_api_pb2,
        beam_provision_api_pb2_grpc,
    )
    from apache_beam.portability.api.org.apache.beam.model.pipeline.v1 import endpoints_pb2
    from google.protobuf import json_format, text_format

    def descriptor(url: str) -> str:
        return str(text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=url)))

    with grpc.insecure_channel(endpoint) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel=channel)
        info = stub.GetProvisionInfo(
            beam_provision_api_pb2.GetProvisionInfoRequest(),
            metadata=[("worker_id", worker_id), worker_secrets.header()],
        ).info
    options = json.dumps(json_format.MessageToDict(info.pipeline_options))
    return {
        "WORKER_ID": worker_id,
        "PIPELINE_OPTIONS": options,
        "SEMI_PERSISTENT_DIRECTORY": "/tmp",
        "LOGGING_API_SERVICE_DESCRIPTOR": descriptor(info.logging_endpoint.url),
        "CONTROL_API_SERVICE_DESCRIPTOR": descriptor(info.control_endpoint.url),
    }


def _open_no_state_channel() -> None:
    """
    The transform has no state. Beam would open a channel for it all the same, and its server
    complains at every end of a worker that the channel is closed already.
    """
    from apache_beam.runners.worker import sdk_worker

    class NoState(sdk_worker.ThrowingStateHandler):  # type: ignore[misc]
        def process_instruction_id(self, *bundle_and_tokens: object) -> ContextManager[None]:
            return contextlib.nullcontext()

    sdk_worker.GrpcStateHandlerFactory.create_state_handler = lambda self, descriptor: NoState()


def _keep_log_records_on_stderr() -> None:
    """
    Lets log records reach the operator even if this process is killed with some of them still in
    the buffer of Beam's logging client.
    """
    stream = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="replace")

    class MarkedLines(logging.StreamHandler):  # type: ignore[type-arg]
        def format(self, record: logging.LogRecord) -> str:
            return "\n".join(_LOG_RECORD_MARK + line for line in super().format(record).split("\n"))

    handler = MarkedLines(stream)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    # PyFlink's worker main empties the root logger's handlers before Beam adds its own.
    from apache_beam.runners.worker import sdk_worker_main

    create_harness = sdk_worker_main.create_harness

    def create_harness_and_keep_records(*args: object, **kwargs: object) -> object:
        harness = create_harness(*args, **kwargs)
        logging.getLogger().addHandler(handler)
        return harness

    sdk_worker_main.create_harness = create_harness_and_keep_records


def main(argv: Optional[List[str]] = None) -> None:
    """Runs a worker until its operator ends it."""
    parser = argparse.ArgumentParser(prog="pyflink_async_batch worker")
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    arguments = parser.parse_args(argv)

    faulthandler.enable()
    # Lets the operator find what user code has started, even when this process is dead.
    os.setpgid(0, 0)
    jvm_watch.start()
    _reach_the_operator_without_a_proxy()
    worker_secrets.take_from_environment()
    # Before much is in memory: this may have to wait.
    gpu_share.take_from_environment()
    worker_secrets.add_to_beam_channels()
    os.environ.update(_provision(arguments.id, arguments.provision_endpoint))

    # Importing registers the ASYNC_BATCH transform.
    from pyflink.fn_execution.beam import beam_sdk_worker_main

    import pyflink_async_batch._worker.transform  # noqa: F401

    _open_no_state_channel()
    _keep_log_records_on_stderr()
    beam_sdk_worker_main.main()


if __name__ == "__main__":
    main(sys.argv[1:])
