"""Requests per second of ``tritonclient``, Triton's own client for Python, over gRPC.

So many requests at a time to one model, each with one FP32 tensor of shape (1, ELEMENTS), the next
as soon as one is answered. The tensor is made anew for each request, as it is where its numbers
come from a stream; the answer's number is read. The rate is that of the same window as our jobs'.

``python triton_requests.py STYLE TARGET MODEL ELEMENTS IN_FLIGHT WARM_UP_SECONDS WINDOW_SECONDS``;
TARGET is a gRPC target, and STYLE one of:

``aio``        ``tritonclient.grpc.aio``, IN_FLIGHT coroutines of one event loop.
``threads``    ``InferenceServerClient.infer`` in IN_FLIGHT threads.
``callbacks``  ``InferenceServerClient.async_infer``, whose callbacks let the next request go.
``shared``     as ``callbacks``, with the tensor in system shared memory: a region for each request
               in flight, registered once, into which each tensor is copied.
"""

import asyncio
import json
import os
import sys
import threading
import time
from typing import Any, Callable, List

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import shared_memory

_INPUT = "x"
_OUTPUT = "number"
_LARGEST_MESSAGE = 64 * 1024 * 1024


class Count:
    """Requests answered so far. Read by another thread than counts them."""

    def __init__(self) -> None:
        self.answered = 0

    def see(self, result: Any) -> None:
        result.as_numpy(_OUTPUT).item(0)
        self.answered += 1


class Tensors:
    """The inputs of requests: the same numbers, made a tensor of again and again."""

    def __init__(self, elements: int) -> None:
        self._numbers = np.random.default_rng(0).random((1, elements), np.float32)
        self.bytes = self._numbers.nbytes

    def inline(self) -> Any:
        tensor = triton.InferInput(_INPUT, self._numbers.shape, "FP32")
        tensor.set_data_from_numpy(self._numbers)
        return tensor

    def shared(self, region: Any, name: str) -> Any:
        shared_memory.set_shared_memory_region(region, [self._numbers])
        tensor = triton.InferInput(_INPUT, self._numbers.shape, "FP32")
        tensor.set_shared_memory(name, self.bytes)
        return tensor


def aio(target: str, model: str, tensors: Tensors, in_flight: int, count: Count) -> None:
    async def ask(client: Any) -> None:
        while True:
            count.see(await client.infer(model, [tensors.inline()], outputs=_outputs(triton_aio)))

    async def main() -> None:
        client = triton_aio.InferenceServerClient(target, channel_args=_channel_arguments())
        await asyncio.gather(*(ask(client) for _ in range(in_flight)))

    asyncio.run(main())


def threads(target: str, model: str, tensors: Tensors, in_flight: int, count: Count) -> None:
    client = triton.InferenceServerClient(target, channel_args=_channel_arguments())

    def ask() -> None:
        while True:
            count.see(client.infer(model, [tensors.inline()], outputs=_outputs(triton)))

    asking = [threading.Thread(target=ask) for _ in range(in_flight)]
    for thread in asking:
        thread.start()


def callbacks(target: str, model: str, tensors: Tensors, in_flight: int, count: Count) -> None:
    client = triton.InferenceServerClient(target, channel_args=_channel_arguments())
    _keep_asking(client, model, [tensors.inline] * in_flight, count)


def shared(target: str, model: str, tensors: Tensors, in_flight: int, count: Count) -> None:
    client = triton.InferenceServerClient(target, channel_args=_channel_arguments())
    makers = []
    for index in range(in_flight):
        name = f"benchmark-{os.getpid()}-{index}"
        region = shared_memory.create_shared_memory_region(name, f"/{name}", tensors.bytes)
        client.register_system_shared_memory(name, f"/{name}", tensors.bytes)
        # The server has it mapped, and so has this process: nothing is left of it afterwards.
        os.unlink(f"/dev/shm/{name}")
        makers.append(lambda region=region, name=name: tensors.shared(region, name))
    _keep_asking(client, model, makers, count)


def _keep_asking(client: Any, model: str, makers: List[Callable[[], Any]], count: Count) -> None:
    """A request for each maker of tensors, and the next one from the callback of the last."""

    def ask(make: Callable[[], Any]) -> None:
        client.async_infer(
            model,
            [make()],
            lambda result, error: see(make, result, error),
            outputs=_outputs(triton),
        )

    def see(make: Callable[[], Any], result: Any, error: Any) -> None:
        if error is not None:
            print(error, file=sys.stderr, flush=True)
            os._exit(1)
        count.see(result)
        ask(make)

    for make in makers:
        ask(make)


def _outputs(library: Any) -> List[Any]:
    return [library.InferRequestedOutput(_OUTPUT)]


def _channel_arguments() -> Any:
    return [
        ("grpc.max_send_message_length", _LARGEST_MESSAGE),
        ("grpc.max_receive_message_length", _LARGEST_MESSAGE),
    ]


def main() -> None:
    style, target, model, elements, in_flight, warm_up, window = sys.argv[1:]
    count = Count()
    begin = {"aio": aio, "threads": threads, "callbacks": callbacks, "shared": shared}[style]
    client = threading.Thread(
        target=begin,
        args=(target, model, Tensors(int(elements)), int(in_flight), count),
        daemon=True,
    )
    client.start()
    while count.answered == 0:
        time.sleep(0.1)
    time.sleep(float(warm_up))
    first, opened = count.answered, time.monotonic()
    time.sleep(float(window))
    last, closed = count.answered, time.monotonic()
    if last == first:
        raise RuntimeError(f"no request was answered for seconds={window}")
    print("MEASURED " + json.dumps((last - first) / (closed - opened)), flush=True)
    # Its threads ask for ever.
    os._exit(0)


if __name__ == "__main__":
    main()
