"""What a server is told at its start."""

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

from pyflink_async_batch._batching.dynamic_batcher import BatchLimits
from pyflink_async_batch.errors import InvalidOptionError
from pyflink_async_batch.sidecar._endpoint import Endpoint, TcpEndpoint
from pyflink_async_batch.sidecar._tensor_spec import TensorSpec


@dataclass(frozen=True)
class SidecarOptions:
    """
    The options of the command line; ``docs/own-sidecar.md`` describes them.

    :raises InvalidOptionError: one contradicts another.
    """

    model: str
    endpoints: Sequence[Endpoint]
    limits: BatchLimits
    model_name: str
    model_version: str = "1"
    model_arguments: Mapping[str, Any] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    inputs: Optional[Mapping[str, TensorSpec]] = None
    outputs: Optional[Mapping[str, TensorSpec]] = None
    max_message_bytes: int = 64 * 1024 * 1024
    grace: float = 30.0
    tls_certificate: Optional[str] = None
    tls_key: Optional[str] = None
    token_file: Optional[str] = None
    metrics_port: Optional[int] = None

    def __post_init__(self) -> None:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise InvalidOptionError(
                "--tls-certificate", self.tls_certificate, "given together with --tls-key"
            )
        for endpoint in self.endpoints:
            if not isinstance(endpoint, TcpEndpoint) or endpoint.is_loopback:
                continue
            if self.tls_key is None or self.token_file is None:
                raise InvalidOptionError(
                    "--endpoint",
                    str(endpoint),
                    "a Unix socket or a loopback address, unless --tls-certificate, --tls-key and "
                    "--token-file are given",
                )
