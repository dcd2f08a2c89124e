"""The token that clients over TCP show."""

import hmac
import os
import stat
from typing import Any, Awaitable, Callable

import grpc

from pyflink_async_batch.errors import InvalidOptionError

_MIN_CHARS = 16
_HEADER = "authorization"
_SCHEME = "Bearer "


def read_token(path: str) -> str:
    """
    :raises InvalidOptionError: the file cannot be read, others can read it, or it holds no token.
    """
    option = "--token-file"
    try:
        with open(path, encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            token = file.read(4096).strip()
    except (OSError, ValueError):
        raise InvalidOptionError(option, path, "a readable file of ASCII characters") from None
    if mode & (stat.S_IRWXO | stat.S_IWGRP):
        raise InvalidOptionError(option, path, "a file that others cannot read or write")
    if len(token) < _MIN_CHARS or not token.isprintable() or " " in token:
        raise InvalidOptionError(option, path, f"a file with a token of {_MIN_CHARS} or more bytes")
    return token


class TokenInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Refuses every call whose metadata has no ``authorization: Bearer TOKEN``."""

    def __init__(self, token: str) -> None:
        self._expected = (_SCHEME + token).encode()

        async def refuse(request: Any, context: Any) -> Any:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "the token is missing or wrong")

        # Without a deserializer: what strangers send is not even parsed.
        self._refusal = grpc.unary_unary_rpc_method_handler(refuse)

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Any]], handler_call_details: Any
    ) -> Any:
        shown = [
            value.encode("utf-8", "replace") if isinstance(value, str) else value
            for key, value in handler_call_details.invocation_metadata
            if key == _HEADER
        ]
        if len(shown) == 1 and hmac.compare_digest(shown[0], self._expected):
            return await continuation(handler_call_details)
        return self._refusal
