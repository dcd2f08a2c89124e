"""
The secrets of one worker: what it shows to Beam's servers and to the batch channel. They come by
environment and are taken out of it before any user code runs, so that nothing the user starts
inherits them.
"""

import os
from typing import Any, Optional, Tuple

_SECRET_VARIABLE = "_ASYNC_BATCH_SECRET"
_TOKEN_VARIABLE = "_ASYNC_BATCH_TOKEN"
_SECRET_HEADER = "async-batch-secret"

_secret: Optional[str] = None
_token: Optional[bytes] = None


def take_from_environment() -> None:
    """Reads both secrets and removes them from the environment of this process."""
    global _secret, _token
    try:
        _secret = os.environ.pop(_SECRET_VARIABLE)
        _token = bytes.fromhex(os.environ.pop(_TOKEN_VARIABLE))
    except KeyError as missing:
        raise SystemExit(
            "A worker is started by the operator only: %s is not set" % missing
        ) from None


def header() -> Tuple[str, str]:
    """The gRPC header without which the operator's servers answer nothing."""
    if _secret is None:
        raise RuntimeError("the worker's secret has not been taken from the environment")
    return _SECRET_HEADER, _secret


def take_token() -> bytes:
    """The one-time token of the batch channel; asking twice is an error."""
    global _token
    if _token is None:
        raise RuntimeError("the batch channel's token has been used already")
    token, _token = _token, None
    return token


def add_to_beam_channels() -> None:
    """
    Makes every gRPC call of Beam's harness carry the secret. Beam routes all of them through its
    worker id interceptor; other gRPC clients in this process, such as the user's, are not touched.
    """
    from apache_beam.runners.worker import worker_id_interceptor

    intercept = worker_id_interceptor.WorkerIdInterceptor._intercept

    def intercept_with_secret(self: Any, continuation: Any, details: Any, request: Any) -> Any:
        def continue_with_secret(details: Any, request: Any) -> Any:
            with_secret = details._replace(metadata=[*details.metadata, header()])
            return continuation(with_secret, request)

        return intercept(self, continue_with_secret, details, request)

    worker_id_interceptor.WorkerIdInterceptor._intercept = intercept_with_secret
