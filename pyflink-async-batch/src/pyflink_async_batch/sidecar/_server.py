"""A server from its start to its end."""

import asyncio
import logging
import signal
from typing import Any, List, Optional, Sequence, Set

import grpc

from pyflink_async_batch._batching.dynamic_batcher import DynamicBatcher
from pyflink_async_batch.sidecar._endpoint import Endpoint
from pyflink_async_batch.sidecar._function_metrics import FunctionMetricGroup
from pyflink_async_batch.sidecar._function_thread import FunctionThread
from pyflink_async_batch.sidecar._hosted_function import HostedFunction, Outcome
from pyflink_async_batch.sidecar._inference import InferenceRequest
from pyflink_async_batch.sidecar._listeners import Listeners
from pyflink_async_batch.sidecar._metrics import Metrics, NoMetrics, PrometheusMetrics
from pyflink_async_batch.sidecar._options import SidecarOptions
from pyflink_async_batch.sidecar._runtime_context import SidecarRuntimeContext
from pyflink_async_batch.sidecar._service import Batcher, InferenceService
from pyflink_async_batch.sidecar._shared_memory import SharedRegions
from pyflink_async_batch.sidecar._sidecar_error import ErrorKind, SidecarError

_LOGGER = logging.getLogger(__name__)

_CLOSE_SECONDS = 5.0
_REGION_POLL_SECONDS = 1.0


class SidecarServer:
    """
    Hosts one function. Made and used on one event loop, but for the function, which has a thread of
    its own.

    :param interceptors: see every call that may come in.
    """

    def __init__(
        self, options: SidecarOptions, interceptors: Sequence[grpc.aio.ServerInterceptor] = ()
    ) -> None:
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._regions = SharedRegions()
        self._batcher: Batcher = DynamicBatcher(self._invoke, options.limits)
        self._function_metrics = FunctionMetricGroup()
        self._metrics = self._make_metrics(options.metrics_port)
        self._service = InferenceService(
            options.model_name, options.model_version, self._batcher, self._regions, self._metrics
        )
        self._listeners = Listeners(options, self._service, interceptors)
        self._function = HostedFunction(
            options.model, options.model_arguments, options.inputs, options.outputs
        )
        self._thread: Optional[FunctionThread] = None
        self._tasks: Set[asyncio.Task[Any]] = set()
        self._end: asyncio.Future[int] = self._loop.create_future()

    async def start(self) -> List[Endpoint]:
        """
        Listens, and begins to open the function.

        :return: the endpoints with the ports that were chosen.
        :raises UnsupportedEnvironmentError: an endpoint cannot be bound.
        :raises InvalidOptionError: a file of TLS or the token cannot be used.
        """
        try:
            endpoints = await self._listeners.start()
        except BaseException:
            await self._listeners.stop(0)
            self._listeners.remove_files()
            await asyncio.to_thread(self._metrics.close)
            raise
        self._thread = FunctionThread(self._on_death)
        self._begin(self._open(self._thread))
        self._begin(self._drop_abandoned_regions())
        for endpoint in endpoints:
            _LOGGER.info("Listening at %s", endpoint)
        return endpoints

    def _make_metrics(self, port: Optional[int]) -> Metrics:
        if port is None:
            return NoMetrics()
        metrics = PrometheusMetrics(
            port,
            load=lambda: self._batcher.load,
            is_ready=lambda: self._service.is_ready,
            regions=lambda: len(self._regions),
            function_metrics=self._function_metrics,
        )
        _LOGGER.info("Metrics at http://127.0.0.1:%d/metrics", metrics.port)
        return metrics

    async def wait(self) -> int:
        """
        Returns when the server is to end.

        :return: the exit status: 0 when it was told to, 1 when the function failed to open or ended
                 its event loop.
        """
        return await asyncio.shield(self._end)

    def end(self, status: int = 0) -> None:
        """Has :func:`wait` return. Only the first call counts."""
        if not self._end.done():
            self._end.set_result(status)

    async def stop(self, grace: float) -> None:
        """
        Takes no more calls, finishes those that run, closes the function, and removes its files.

        :param grace: seconds that the calls have for it.
        """
        self._service.not_ready()
        try:
            await asyncio.gather(self._listeners.stop(grace), self._batcher.drain(grace))
        finally:
            for task in self._tasks:
                task.cancel()
            await self._listeners.stop(0)
            self._listeners.remove_files()
            await self._close()
            await asyncio.to_thread(self._metrics.close)

    async def _open(self, thread: FunctionThread) -> None:
        context = SidecarRuntimeContext(
            self._options.model_name, self._options.parameters, self._function_metrics
        )
        try:
            signature = await thread.call(lambda: self._function.open(context))
        except Exception:
            _LOGGER.exception("%s could not be opened", self._options.model)
            self.end(1)
        else:
            self._service.ready(signature)
            _LOGGER.info("Model '%s' is ready", self._options.model_name)

    async def _invoke(self, requests: Sequence[InferenceRequest]) -> List[Outcome]:
        thread = self._thread
        if thread is None:
            raise SidecarError(ErrorKind.UNAVAILABLE, "the function's event loop has ended")
        started = self._loop.time()
        self._metrics.batch_started(
            sum(request.rows for request in requests),
            [started - request.arrival for request in requests],
        )
        tensors = [request.tensors for request in requests]
        try:
            return await thread.call(lambda: self._function.invoke(tensors))
        finally:
            self._metrics.batch_ended(self._loop.time() - started)

    async def _close(self) -> None:
        thread = self._thread
        if thread is None:
            return
        closing = self._loop.create_task(thread.call(self._function.close))
        # Bounded, as it waits behind whatever blocks the function's thread.
        await asyncio.wait({closing}, timeout=_CLOSE_SECONDS)
        if not closing.done():
            _LOGGER.warning("%s did not close in %.0f s", self._options.model, _CLOSE_SECONDS)
            closing.cancel()
        elif closing.exception() is not None:
            _LOGGER.error("%s failed to close", self._options.model, exc_info=closing.exception())
        await thread.stop()

    async def _drop_abandoned_regions(self) -> None:
        while True:
            await asyncio.sleep(_REGION_POLL_SECONDS)
            self._regions.drop_abandoned()

    def _begin(self, coroutine: Any) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_death(self, error: BaseException) -> None:
        self._loop.call_soon_threadsafe(self._lose_thread)

    def _lose_thread(self) -> None:
        # Nothing can be closed there any more.
        self._thread = None
        self.end(1)


async def serve(
    options: SidecarOptions, interceptors: Sequence[grpc.aio.ServerInterceptor] = ()
) -> int:
    """
    Runs a server until SIGTERM or SIGINT; a second one ends what still runs at once.

    :param interceptors: see every call that may come in.
    :return: the exit status.
    """
    loop = asyncio.get_running_loop()
    server = SidecarServer(options, interceptors)
    stopping: List[asyncio.Task[None]] = []

    def on_signal() -> None:
        if stopping:
            stopping[0].cancel()
        server.end()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    await server.start()
    status = await server.wait()
    _LOGGER.info("Shutting down")
    stopping.append(loop.create_task(server.stop(options.grace if status == 0 else 0)))
    await asyncio.wait(stopping)
    return status
