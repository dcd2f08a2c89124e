"""Stands in for what answers travel over, and for Arrow: a batch is its results' repr."""

from typing import Any, List, Optional, Tuple

from pyflink_async_batch._worker import result_check
from pyflink_async_batch._worker.answerer import Answerer, BatchTooLargeError

_MOST_BYTES = 1000


class Answers:
    def __init__(self) -> None:
        self.sent: List[Tuple[Any, Optional[bytes]]] = []
        self.answerer = Answerer(self, self)  # type: ignore[arg-type]

    def check(self, results: Any, method: str, row_count: int) -> List[Any]:
        return result_check.check(results, method, row_count)

    def encode(self, results: List[Any]) -> bytes:
        return repr(results).encode()

    def send(self, header: Any) -> None:
        self.sent.append((header, None))

    def send_batch(self, header: Any, batch: bytes) -> None:
        if len(batch) > _MOST_BYTES:
            raise BatchTooLargeError(f"{len(batch)} bytes, more than the most of {_MOST_BYTES}")
        self.sent.append((header, batch))

    def only(self) -> Tuple[Any, Optional[bytes]]:
        assert len(self.sent) == 1
        return self.sent[0]
