"""Stands in for what answers travel over, and for Arrow: a batch is its results' repr."""

from typing import Any, Dict, List, Optional, Tuple

from pyflink_async_batch._proto import async_batch_pb2
from pyflink_async_batch._worker import result_check
from pyflink_async_batch._worker.answerer import Answerer, BatchTooLargeError
from pyflink_async_batch._worker.batch_view import RowView
from pyflink_async_batch._worker.result_encoder import MisfitResultError

_MOST_BYTES = 1000

#: A result that fits no type.
MISFIT = object()


class Answers(RowView):
    def __init__(self) -> None:
        self.sent: List[Tuple[Any, Optional[bytes]]] = []
        self.answerer = Answerer(self, self)

    def encode(self, results: result_check.Results) -> bytes:
        values = results.values
        if MISFIT in values:
            raise MisfitResultError(values.index(MISFIT), "", "INT", "object")
        kept = result_check.kept(results, len(values))
        return repr([values[position] for position in kept]).encode()

    def send(self, header: Any) -> None:
        self.sent.append((header, None))

    def send_batch(self, header: Any, batch: bytes) -> None:
        if len(batch) > _MOST_BYTES:
            raise BatchTooLargeError(f"{len(batch)} bytes, more than the most of {_MOST_BYTES}")
        self.sent.append((header, batch))

    def only(self) -> Tuple[Any, Optional[bytes]]:
        assert len(self.sent) == 1
        return self.sent[0]

    def kinds(self) -> List[str]:
        return [async_batch_pb2.FrameKind.Name(header.kind) for header, _ in self.sent]

    def rows(self, row_count: int) -> Dict[int, Any]:
        """What the operator makes of the answers to one batch: results and failures by index."""
        told: Dict[int, Any] = {}
        for header, body in self.sent:
            assert header.kind in (async_batch_pb2.PART, async_batch_pb2.RESULT)
            for failure in header.row_failures:
                assert failure.index not in told
                told[failure.index] = failure.failure
            values = [] if body is None else eval(body)
            assert len(values) == header.row_count
            if header.kind == async_batch_pb2.PART:
                indexes = list(header.rows)
            else:
                indexes = [index for index in range(row_count) if index not in told]
            assert len(indexes) == len(values)
            for index, value in zip(indexes, values):
                assert index not in told
                told[index] = value
        return told
