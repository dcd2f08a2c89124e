"""The protocol's methods. Handlers are written by hand, as messages alone are generated."""

import asyncio
import functools
import logging
from typing import Any, Awaitable, Callable, Dict, List, Optional, Tuple

import grpc

from pyflink_async_batch._batching.dynamic_batcher import (
    BatcherClosedError,
    BatchFailedError,
    DeadlinePassedError,
    DynamicBatcher,
    QueueFullError,
)
from pyflink_async_batch._proto import open_inference_pb2 as pb
from pyflink_async_batch.sidecar import _inference, _sidecar_error
from pyflink_async_batch.sidecar._hosted_function import Outcome
from pyflink_async_batch.sidecar._metrics import Metrics
from pyflink_async_batch.sidecar._shared_memory import RegionExistsError, SharedRegions
from pyflink_async_batch.sidecar._sidecar_error import ErrorKind, SidecarError
from pyflink_async_batch.sidecar._signature import Signature
from pyflink_async_batch.version import __version__

_LOGGER = logging.getLogger(__name__)

SERVICE = "inference.GRPCInferenceService"
#: The trailer of every answer to an inference that tells how busy the server is.
LOAD_TRAILER = "asyncbatch-load"
_PLATFORM = "pyflink_async_batch"
_SHARED_MEMORY = "system_shared_memory"

# As the Java client names itself, a client a subtask.
_CLIENT = "asyncbatch-client"

Batcher = DynamicBatcher[_inference.InferenceRequest, Outcome]


class InferenceService:
    """
    The methods of the protocol for one model. Lives on the server's event loop.

    :param model_name: by which clients ask for the model.
    :param model_version: its only version.
    :param batcher: runs the function.
    :param regions: the shared memory that clients have registered.
    :param metrics: is told of every inference.
    """

    def __init__(
        self,
        model_name: str,
        model_version: str,
        batcher: Batcher,
        regions: SharedRegions,
        metrics: Metrics,
    ) -> None:
        self._model_name = model_name
        self._model_version = model_version
        self._batcher = batcher
        self._regions = regions
        self._metrics = metrics
        self._signature: Optional[Signature] = None

    def ready(self, signature: Signature) -> None:
        """The function is open: inferences are taken from now on."""
        self._signature = signature

    def not_ready(self) -> None:
        """No more inferences are taken."""
        self._signature = None

    @property
    def is_ready(self) -> bool:
        """Whether inferences are taken."""
        return self._signature is not None

    def handlers(self, shares_memory: bool) -> grpc.GenericRpcHandler:
        """
        :param shares_memory: whether clients of this endpoint may register shared memory.
        """
        regions = self._regions if shares_memory else None
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "ServerLive": _handler(self._server_live, pb.ServerLiveRequest),
                "ServerReady": _handler(self._server_ready, pb.ServerReadyRequest),
                "ModelReady": _handler(self._model_ready, pb.ModelReadyRequest),
                "ServerMetadata": _handler(
                    functools.partial(self._server_metadata, regions), pb.ServerMetadataRequest
                ),
                "ModelMetadata": _handler(self._model_metadata, pb.ModelMetadataRequest),
                "ModelInfer": _handler(
                    functools.partial(self._model_infer, regions), pb.ModelInferRequest
                ),
                "SystemSharedMemoryStatus": _handler(
                    functools.partial(_status, regions), pb.SystemSharedMemoryStatusRequest
                ),
                "SystemSharedMemoryRegister": _handler(
                    functools.partial(_register, regions), pb.SystemSharedMemoryRegisterRequest
                ),
                "SystemSharedMemoryUnregister": _handler(
                    functools.partial(_unregister, regions), pb.SystemSharedMemoryUnregisterRequest
                ),
            },
        )

    async def _server_live(self, request: Any, context: Any) -> Any:
        return pb.ServerLiveResponse(live=True)

    async def _server_ready(self, request: Any, context: Any) -> Any:
        context.set_trailing_metadata([self._load()])
        return pb.ServerReadyResponse(ready=self._signature is not None)

    async def _model_ready(self, request: Any, context: Any) -> Any:
        return pb.ModelReadyResponse(
            ready=self._signature is not None and self._is_hosted(request.name, request.version)
        )

    async def _server_metadata(
        self, regions: Optional[SharedRegions], request: Any, context: Any
    ) -> Any:
        return pb.ServerMetadataResponse(
            name=_PLATFORM,
            version=__version__,
            extensions=[] if regions is None else [_SHARED_MEMORY],
        )

    async def _model_metadata(self, request: Any, context: Any) -> Any:
        signature = self._require(request.name, request.version)
        response = pb.ModelMetadataResponse(
            name=self._model_name, versions=[self._model_version], platform=_PLATFORM
        )
        for name, spec in signature.inputs.items():
            response.inputs.add(name=name, datatype=spec.datatype, shape=spec.shape)
        for name, spec in signature.outputs.items():
            response.outputs.add(name=name, datatype=spec.datatype, shape=spec.shape)
        return response

    async def _model_infer(
        self, regions: Optional[SharedRegions], message: Any, context: Any
    ) -> Any:
        loop = asyncio.get_running_loop()
        arrival = loop.time()
        result = "CANCELLED"
        try:
            response = await self._infer(regions, message, context, arrival)
            result = "OK"
            return response
        except SidecarError as error:
            result = error.kind.name
            raise
        except Exception:
            result = ErrorKind.INTERNAL.name
            raise
        finally:
            context.set_trailing_metadata([self._load()])
            self._metrics.answered(result, loop.time() - arrival)

    async def _infer(
        self, regions: Optional[SharedRegions], message: Any, context: Any, arrival: float
    ) -> Any:
        signature = self._require(message.model_name, message.model_version)
        request = _inference.read_request(message, signature, regions, arrival)
        outcome = await self._run(request, context)
        if isinstance(outcome, SidecarError):
            raise outcome
        return _inference.write_response(message, request, signature, outcome, self._model_version)

    async def _run(self, request: _inference.InferenceRequest, context: Any) -> Outcome:
        try:
            return await self._batcher.submit(
                request,
                client=request.client or _client(context),
                key=request.key,
                rows=request.rows,
                size=request.size,
                deadline=_deadline(request.timeout, context.time_remaining()),
            )
        except ValueError as error:
            raise _sidecar_error.invalid(str(error)) from None
        except QueueFullError as error:
            raise SidecarError(ErrorKind.OVERLOADED, str(error), error.retry_after) from None
        except BatcherClosedError:
            raise SidecarError(ErrorKind.UNAVAILABLE, "the server is shutting down") from None
        except DeadlinePassedError as error:
            raise SidecarError(ErrorKind.DEADLINE_EXCEEDED, str(error)) from None
        except BatchFailedError as error:
            if isinstance(error.error, SidecarError):
                raise error.error from None
            raise _sidecar_error.of_function(error.error) from error

    def _require(self, name: str, version: str) -> Signature:
        if not self._is_hosted(name, version):
            raise SidecarError(
                ErrorKind.MODEL_NOT_FOUND,
                f"there is no model '{name[:80]}' of version '{version[:80]}', only "
                f"'{self._model_name}' of version '{self._model_version}'",
            )
        if self._signature is None:
            raise SidecarError(ErrorKind.UNAVAILABLE, f"model '{self._model_name}' is not ready")
        return self._signature

    def _is_hosted(self, name: str, version: str) -> bool:
        return name == self._model_name and version in ("", self._model_version)

    def _load(self) -> Tuple[str, str]:
        load = self._batcher.load
        return (
            LOAD_TRAILER,
            f"queued_rows={load.queued_rows},queued_bytes={load.queued_bytes},"
            f"in_flight_rows={load.in_flight_rows},in_flight_batches={load.in_flight_batches}",
        )


def _client(context: Any) -> str:
    """Who calls, as it says itself; over a Unix socket all peers have the same name."""
    metadata: Dict[str, str] = dict(context.invocation_metadata() or ())
    return metadata.get(_CLIENT) or str(context.peer())


async def _status(regions: Optional[SharedRegions], request: Any, context: Any) -> Any:
    response = pb.SystemSharedMemoryStatusResponse()
    for region in _supported(regions).status(request.name):
        status = response.regions[region.name]
        status.name = region.name
        status.key = region.key
        status.offset = region.offset
        status.byte_size = region.size
    return response


async def _register(regions: Optional[SharedRegions], request: Any, context: Any) -> Any:
    try:
        _supported(regions).register(request.name, request.key, request.offset, request.byte_size)
    except RegionExistsError as error:
        await context.abort(grpc.StatusCode.ALREADY_EXISTS, str(error))
    return pb.SystemSharedMemoryRegisterResponse()


async def _unregister(regions: Optional[SharedRegions], request: Any, context: Any) -> Any:
    _supported(regions).unregister(request.name)
    return pb.SystemSharedMemoryUnregisterResponse()


def _supported(regions: Optional[SharedRegions]) -> SharedRegions:
    if regions is None:
        raise _sidecar_error.invalid("only Unix sockets support shared memory")
    return regions


def _deadline(timeout: Optional[float], remaining: Optional[float]) -> Optional[float]:
    bounds: List[float] = [bound for bound in (timeout, remaining) if bound is not None]
    return asyncio.get_running_loop().time() + min(bounds) if bounds else None


def _handler(
    method: Callable[[Any, Any], Awaitable[Any]], request_class: Any
) -> grpc.RpcMethodHandler:
    async def answer(request: Any, context: Any) -> Any:
        try:
            return await method(request, context)
        except SidecarError as error:
            await _abort(context, error)
        except grpc.aio.AbortError:
            raise
        except Exception as error:
            _LOGGER.exception("A call failed")
            await _abort(context, SidecarError(ErrorKind.INTERNAL, type(error).__name__))

    return grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=request_class.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


async def _abort(context: Any, error: SidecarError) -> None:
    kept: Dict[str, str] = dict(context.trailing_metadata() or ())
    await context.abort(error.kind.status, str(error), (*kept.items(), *error.trailers()))
