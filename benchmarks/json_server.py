"""As much HTTP as the benchmarks' backends speak: JSON on 127.0.0.1, in a process of its own.

A backend is a script that calls :func:`run` with its answers. It prints the address that it listens
at and ends with its standard input, so that it never outlives whoever :func:`started` it.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import urllib.request
from typing import Any, Awaitable, Callable, Dict, Iterator, Optional, Tuple

_MOST_BODY_BYTES = 64 * 1024

# status, further headers, content
Reply = Tuple[int, Dict[str, str], Any]
# For method, path and content; None where the connection is to end instead.
Answer = Callable[[str, str, Any], Awaitable[Optional[Reply]]]


class Client:
    """A backend's process, asked from here."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, body: Any = None) -> Any:
        """Posts what is given, and gets otherwise."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(self.url + path, data, timeout=30) as response:
            return json.load(response)


@contextlib.contextmanager
def started(script: pathlib.Path) -> Iterator[str]:
    """Runs the script as long as the context lasts and gives the address that it listens at."""
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # A script in a directory of its own has this one beside it too.
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).resolve().parent)},
    )
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"{script.name} ended with status {process.wait()}")
        yield url
    finally:
        process.kill()
        process.communicate()


def run(make_answer: Callable[[], Answer]) -> None:
    """Serves until standard input ends, with what is made on the event loop."""
    asyncio.run(_main(make_answer))


async def _main(make_answer: Callable[[], Answer]) -> None:
    answer = make_answer()
    server = await asyncio.start_server(
        lambda reader, writer: _serve(answer, reader, writer), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    print(f"http://127.0.0.1:{port}", flush=True)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()

    def wait_for_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=wait_for_end, daemon=True).start()
    await over.wait()


async def _serve(
    answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            request, *lines = head.split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in lines if line)
            length = int(headers.get("content-length", 0))
            if length > _MOST_BODY_BYTES:
                break
            body = json.loads(await reader.readexactly(length) or b"null")
            method, path = request.split(" ")[:2]
            reply = await answer(method, path, body)
            if reply is None:
                break
            status, more, content = reply
            payload = json.dumps(content).encode()
            told = {"Content-Length": str(len(payload)), **more}
            lines = [f"HTTP/1.1 {status} -", *(f"{name}: {told[name]}" for name in told), "", ""]
            writer.write("\r\n".join(lines).encode() + payload)
            await writer.drain()
    writer.transport.abort()
