"""Where the server listens."""

import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Union

from pyflink_async_batch.errors import InvalidOptionError

# Of sun_path, less the byte that ends it.
_MAX_PATH_BYTES = 107
_HOST_PORT = re.compile(r"(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>\d{1,5})")


@dataclass(frozen=True)
class UnixEndpoint:
    """A socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix://{self.path}"


@dataclass(frozen=True)
class TcpEndpoint:
    """
    An address and a port.

    :param host: a name, an IPv4 address, or an IPv6 address in brackets.
    :param port: 0 for any.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False  # a name, which may mean any address


Endpoint = Union[UnixEndpoint, TcpEndpoint]


def parse(written: str) -> Endpoint:
    """:raises InvalidOptionError: it is neither form of an endpoint."""
    if written.startswith("unix:"):
        path = re.sub(r"^unix:(//)?", "", written)
        if not os.path.isabs(path) or os.path.normpath(path) != path:
            raise InvalidOptionError("--endpoint", written, "unix:// and an absolute, plain path")
        if len(os.fsencode(path)) > _MAX_PATH_BYTES:
            raise InvalidOptionError(
                "--endpoint", written, f"a path of at most {_MAX_PATH_BYTES} bytes"
            )
        return UnixEndpoint(path)
    match = _HOST_PORT.fullmatch(written)
    if match is None or int(match["port"]) > 65535:
        raise InvalidOptionError("--endpoint", written, "unix:///path/of/socket or host:port")
    return TcpEndpoint(match["host"], int(match["port"]))
