"""A stub of OpenAI's endpoint for embeddings, for tests and benchmarks: ``POST /v1/embeddings``.

Each request takes the same time, however many texts it holds, as on a GPU that is not full. The
embedding of a text is made of its bytes, so that whoever asks gets the same. HTTP by hand, on the
standard library's asyncio: a server that is slower than its clients would measure itself.
"""

import argparse
import asyncio
import json
import threading
from typing import Any, Dict, List, Optional, Tuple

_MOST_BYTES = 64 * 1024 * 1024


def embedding(text: str) -> List[float]:
    """Eight numbers that a FLOAT holds exactly."""
    encoded = text.encode("utf-8")
    return [float((sum(encoded[i::8]) * (i + 1)) % 4096) / 8 for i in range(8)]


class EmbeddingsStub:
    """
    Serves on a free port of the loopback address, in a thread of its own.

    ::

        with EmbeddingsStub(delay=0.02) as stub:
            client = openai.OpenAI(base_url=stub.base_url, api_key="none")

    :param delay: seconds from a request to its answer.
    """

    def __init__(self, delay: float = 0.0, port: int = 0) -> None:
        self._delay = delay
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._server: Optional[asyncio.AbstractServer] = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.requests = 0
        self.texts = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def __enter__(self) -> "EmbeddingsStub":
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", self._port, backlog=1024)
        )
        self._port = self._server.sockets[0].getsockname()[1]
        self._thread.start()
        return self

    def __exit__(self, *exc_info: Any) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        connections = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path, length = _head(head)
                body = await reader.readexactly(length)
                status, answer = await self._answer(path, body)
                encoded = json.dumps(answer).encode()
                writer.write(
                    b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
                    % (status, len(encoded))
                    + encoded
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError, ValueError):
            pass  # the client went away or speaks something else, or the server ends
        finally:
            writer.close()

    async def _answer(self, path: bytes, body: bytes) -> Tuple[bytes, Dict[str, Any]]:
        if path != b"/v1/embeddings":
            return b"404 Not Found", {"error": {"message": "no such endpoint"}}
        asked = json.loads(body)
        texts = [asked["input"]] if isinstance(asked["input"], str) else asked["input"]
        self.requests += 1
        self.texts += len(texts)
        if self._delay:
            await asyncio.sleep(self._delay)
        return b"200 OK", {
            "object": "list",
            "model": asked.get("model"),
            "data": [
                {"object": "embedding", "index": index, "embedding": embedding(text)}
                for index, text in enumerate(texts)
            ],
            "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)},
        }


def _head(head: bytes) -> Tuple[bytes, int]:
    lines = head.split(b"\r\n")
    path = lines[0].split(b" ")[1]
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            length = int(value)
            if length > _MOST_BYTES:
                raise ValueError("the request is too large")
            return path, length
    raise ValueError("a request without Content-Length")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds")
    arguments = parser.parse_args()
    with EmbeddingsStub(arguments.delay, arguments.port) as stub:
        print(f"serving {stub.base_url}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
