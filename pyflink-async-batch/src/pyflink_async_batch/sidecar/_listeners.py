"""The gRPC servers of the endpoints, one for each."""

import asyncio
import logging
from typing import Any, List, Optional, Sequence

import grpc

from pyflink_async_batch.errors import InvalidOptionError, UnsupportedEnvironmentError
from pyflink_async_batch.sidecar._endpoint import Endpoint, TcpEndpoint, UnixEndpoint
from pyflink_async_batch.sidecar._options import SidecarOptions
from pyflink_async_batch.sidecar._service import InferenceService
from pyflink_async_batch.sidecar._socket_file import SocketFile
from pyflink_async_batch.sidecar._token import TokenInterceptor, read_token

_LOGGER = logging.getLogger(__name__)


class Listeners:
    """
    One server an endpoint, as what it demands of its clients differs: over a Unix socket the file's
    mode, over TCP a token. Lives on the server's event loop.

    :param interceptors: see every call that may come in.
    """

    def __init__(
        self,
        options: SidecarOptions,
        service: InferenceService,
        interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    ) -> None:
        self._options = options
        self._service = service
        self._interceptors = list(interceptors)
        self._servers: List[Any] = []
        self._files: List[SocketFile] = []

    async def start(self) -> List[Endpoint]:
        """
        :return: the endpoints with the ports that were chosen.
        :raises UnsupportedEnvironmentError: an endpoint cannot be bound.
        :raises InvalidOptionError: a file of TLS or the token cannot be used.
        """
        bound: List[Endpoint] = []
        for endpoint in self._options.endpoints:
            if isinstance(endpoint, UnixEndpoint):
                self._bind_unix(endpoint)
                bound.append(endpoint)
            else:
                bound.append(self._bind_tcp(endpoint))
        for server in self._servers:
            await server.start()
        return bound

    async def stop(self, grace: float) -> None:
        """
        Takes no more calls.

        :param grace: seconds that the calls which run have to end.
        """
        await asyncio.gather(*(server.stop(grace) for server in self._servers))

    def remove_files(self) -> None:
        """Removes what is left in the file system."""
        for file in self._files:
            file.remove()

    def _bind_unix(self, endpoint: UnixEndpoint) -> None:
        file = SocketFile(endpoint.path)
        server = self._server(shares_memory=True)
        with file.taken():
            _add_port(server, endpoint, f"unix:{endpoint.path}", None)
        self._files.append(file)

    def _bind_tcp(self, endpoint: TcpEndpoint) -> TcpEndpoint:
        token_file = self._options.token_file
        interceptors = [] if token_file is None else [TokenInterceptor(read_token(token_file))]
        server = self._server(shares_memory=False, interceptors=interceptors)
        return TcpEndpoint(
            endpoint.host, _add_port(server, endpoint, str(endpoint), self._credentials())
        )

    def _server(self, shares_memory: bool, interceptors: Any = ()) -> Any:
        size = self._options.max_message_bytes
        server = grpc.aio.server(
            handlers=[self._service.handlers(shares_memory)],
            interceptors=[*interceptors, *self._interceptors],
            options=[
                ("grpc.max_receive_message_length", size),
                ("grpc.max_send_message_length", size),
                # Two servers at one port would each get some of the clients.
                ("grpc.so_reuseport", 0),
            ],
        )
        self._servers.append(server)
        return server

    def _credentials(self) -> Optional[grpc.ServerCredentials]:
        if self._options.tls_key is None or self._options.tls_certificate is None:
            return None
        key = _read("--tls-key", self._options.tls_key)
        certificate = _read("--tls-certificate", self._options.tls_certificate)
        return grpc.ssl_server_credentials([(key, certificate)])


def _add_port(server: Any, endpoint: Endpoint, address: str, credentials: Any) -> int:
    try:
        if credentials is None:
            return int(server.add_insecure_port(address))
        return int(server.add_secure_port(address, credentials))
    except RuntimeError as error:
        raise UnsupportedEnvironmentError(f"'{endpoint}' cannot be bound: {error}") from None


def _read(option: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidOptionError(option, path, f"a readable file ({error.strerror})") from None
