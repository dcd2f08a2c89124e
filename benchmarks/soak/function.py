"""The function of the job, which asks the backend, and dies when it is told to.

Shipped to the workers by value: they import nothing else of this package.
"""

import asyncio
import ctypes
import json
import os
import resource
import signal
import string
import threading
from typing import Any, Dict, List, Tuple

from pyflink_async_batch import AsyncBatchFunction, BatchTooLarge, RetryLater, RowFailure

EXIT, SEGFAULT, HANG, OUT_OF_MEMORY = "exit", "segfault", "hang", "out of memory"

_AGAIN_SECONDS = 0.1


class Asks(AsyncBatchFunction[str, str]):
    """
    Gives for each row its number and how many letters it has, -1 if they are not those it was sent
    with. Lives on the worker's event loop.

    :param port: of the backend, on 127.0.0.1.
    :param orders: a directory of files named like processes, which hold how these are to die.
    :param at_work: a directory of files named like processes that have begun a batch.
    :param timeouts: a file that gets a byte for every call that was given up.
    :param fails: divisor and remainder of the numbers of rows that have no result.
    :param raises: of those that make a call fail.
    :param most_letters: of any row.
    """

    def __init__(
        self,
        port: int,
        orders: str,
        at_work: str,
        timeouts: str,
        fails: Tuple[int, int],
        raises: Tuple[int, int],
        most_letters: int,
    ) -> None:
        self.port = port
        self.orders = orders
        self.at_work = at_work
        self.timeouts = timeouts
        self.fails = fails
        self.raises = raises
        self.most_letters = most_letters
        self.has_begun = False

    def open(self, runtime_context: Any) -> None:
        self.letters = string.ascii_lowercase * (self.most_letters // 26 + 1)

    async def async_invoke_batch(self, inputs: List[str]) -> List[Any]:
        self.begin()
        self.obey()
        rows = [row.split(" ") for row in inputs]
        numbers = [int(number) for number, _ in rows]
        status, headers = await self.post("/infer", {"rows": len(rows)})
        self.obey()
        if status in (429, 503):
            raise RetryLater.from_headers(headers)
        if status == 413:
            raise BatchTooLarge("the backend takes fewer rows")
        divisor, remainder = self.raises
        if any(number % divisor == remainder for number in numbers):
            raise ValueError("a row that fails its batch")
        divisor, remainder = self.fails
        return [
            RowFailure("a row that fails")
            if number % divisor == remainder
            else self.result(number, letters)
            for number, (_, letters) in zip(numbers, rows)
        ]

    def timeout_batch(self, inputs: List[str]) -> List[Any]:
        with open(self.timeouts, "ab") as file:
            file.write(b".")
        raise TimeoutError("the backend did not answer")

    def result(self, number: int, letters: str) -> str:
        length = len(letters)
        return f"{number} {length if letters == self.letters[:length] else -1}"

    async def post(self, path: str, content: Any) -> Tuple[int, Dict[str, str]]:
        """Returns status and headers of the answer; a lost call is to be made again."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                body = json.dumps(content).encode()
                head = f"POST {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                answer = (await reader.readuntil(b"\r\n\r\n")).decode()
            finally:
                writer.close()
        except (OSError, EOFError) as error:
            raise RetryLater(_AGAIN_SECONDS) from error
        status, *lines = answer.strip().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        return int(status.split(" ")[1]), headers

    def begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            open(os.path.join(self.at_work, str(os.getpid())), "w").close()

    def obey(self) -> None:
        order = os.path.join(self.orders, str(os.getpid()))
        if not os.path.exists(order):
            return
        with open(order) as told:
            how = told.read()
        os.unlink(order)
        if how == HANG:
            threading.Event().wait()
        if how == SEGFAULT:
            ctypes.string_at(0)
        if how == OUT_OF_MEMORY:
            self.take_all_memory()
        os._exit(3)

    def take_all_memory(self) -> None:
        with open("/proc/self/statm") as statm:
            mapped = int(statm.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + 2**27, resource.RLIM_INFINITY))
        hoard = []
        try:
            while True:
                hoard.append(bytearray(2**20))
        except MemoryError:
            # What the kernel does where there is no such limit.
            os.kill(os.getpid(), signal.SIGKILL)
