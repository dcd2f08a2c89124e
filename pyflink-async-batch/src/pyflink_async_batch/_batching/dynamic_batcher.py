"""Merges the requests of several clients into batches, on one event loop."""

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import dataclass
from itertools import chain
from typing import (
    Any,
    Awaitable,
    Callable,
    Dict,
    Generic,
    Hashable,
    Iterator,
    List,
    Optional,
    Set,
    TypeVar,
)

__all__ = [
    "BatchFailedError",
    "BatchLimits",
    "BatcherClosedError",
    "BatcherLoad",
    "DeadlinePassedError",
    "DynamicBatcher",
    "QueueFullError",
]

T = TypeVar("T")
R = TypeVar("R")

# What is told to a refused client before the first batch has shown how long one takes.
_FIRST_RETRY_AFTER_SECONDS = 0.1
_MIN_RETRY_AFTER_SECONDS = 0.01
_MAX_RETRY_AFTER_SECONDS = 30.0
# Weight of the newest batch in the mean duration of batches.
_NEWEST_WEIGHT = 0.2
# How long cancelled batches may clean up when the batcher is drained.
_CANCEL_SECONDS = 1.0


class QueueFullError(Exception):
    """
    The request was not run, because too much waits already.

    :param retry_after: seconds after which there should be room, by how long batches take.
    """

    def __init__(self, retry_after: float) -> None:
        super().__init__(retry_after)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"the queue is full; try again in {self.retry_after:.3f} s"


class BatcherClosedError(Exception):
    """The request was not run, or not to its end, because the batcher is closing."""

    def __str__(self) -> str:
        return "no more requests are taken"


class DeadlinePassedError(TimeoutError):
    """The request's deadline passed before its result was there."""

    def __str__(self) -> str:
        return "the deadline of the request has passed"


class BatchFailedError(Exception):
    """
    The batch that the request was part of failed; each of its requests gets an error of its own.

    :param error: what the invocation raised.
    """

    def __init__(self, error: BaseException) -> None:
        super().__init__(error)
        self.error = error

    def __str__(self) -> str:
        return f"the batch failed: {type(self.error).__name__}"


@dataclass(frozen=True)
class BatchLimits:
    """
    :param max_batch_rows: most rows of a batch, and of a request.
    :param max_delay: seconds that a partial batch waits for more rows from the arrival of its
                      oldest request. With 0 it waits only while all places are taken.
    :param max_concurrent_batches: most batches that are invoked at a time.
    :param max_queue_rows: most rows that wait; at least ``max_batch_rows``.
    :param max_queue_bytes: most bytes that wait. A request that is heavier waits alone.
    """

    max_batch_rows: int
    max_delay: float
    max_concurrent_batches: int
    max_queue_rows: int
    max_queue_bytes: int

    def __post_init__(self) -> None:
        for name, least in (
            ("max_batch_rows", 1),
            ("max_delay", 0),
            ("max_concurrent_batches", 1),
            ("max_queue_rows", self.max_batch_rows),
            ("max_queue_bytes", 1),
        ):
            value = getattr(self, name)
            if not least <= value < float("inf"):
                raise ValueError(f"{name} must be at least {least} and finite, got {value}")


@dataclass(frozen=True)
class BatcherLoad:
    """What waits and what runs at one moment."""

    queued_rows: int
    queued_bytes: int
    in_flight_rows: int
    in_flight_batches: int


class _Request:
    """One request, from its admission to its answer. Compared by identity."""

    __slots__ = ("arrival", "batch", "client", "future", "item", "key", "rows", "size")

    def __init__(
        self,
        item: Any,
        client: Hashable,
        key: Hashable,
        rows: int,
        size: int,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.item = item
        self.client = client
        self.key = key
        self.rows = rows
        self.size = size
        self.arrival = loop.time()
        self.future: asyncio.Future[Any] = loop.create_future()
        #: None while it waits.
        self.batch: Optional[_Batch] = None


class _Client:
    """What waits of one client: a queue for each kind of request, in the order of arrival."""

    __slots__ = ("queues", "rows")

    def __init__(self) -> None:
        self.queues: Dict[Hashable, OrderedDict[_Request, None]] = {}
        self.rows = 0

    def requests(self) -> Iterator[_Request]:
        return chain.from_iterable(self.queues.values())


class _Kind:
    """What waits of all requests that may share a batch, in the order of arrival."""

    __slots__ = ("key", "requests", "rows")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.requests: OrderedDict[_Request, None] = OrderedDict()
        self.rows = 0


class _Batch:
    """Requests that run together."""

    __slots__ = ("requests", "rows", "task", "wanted")

    def __init__(self, requests: List[_Request]) -> None:
        self.requests = requests
        self.rows = sum(request.rows for request in requests)
        #: How many of the requests still want their results.
        self.wanted = len(requests)
        self.task: Optional[asyncio.Task[None]] = None


class DynamicBatcher(Generic[T, R]):
    """
    Merges requests into batches and invokes them, a bounded number at a time. Made and used on one
    event loop.

    A batch is made of requests with equal keys. It starts when a place is free and its rows reach
    ``max_batch_rows``, or its oldest request has waited for ``max_delay``. Requests are never cut
    in pieces.

    **Fairness.** Clients take turns: the client that has gone longest without a turn chooses the
    batch, with its oldest request that may start, and then all clients with requests of that kind
    add one at a time, in their order, until no more fit. A client whose next request does not fit
    keeps its turn. When the queue is full, a client that has less in it than another displaces the
    newest requests of the one that has most; so a client that asks for too much is refused, and
    not the others.

    **Leaving early.** A request whose caller is cancelled, or whose deadline passes, leaves the
    queue. In a running batch its result is dropped; the invocation is cancelled when no request of
    the batch wants its result any more, and holds its place until it has ended.

    :param invoke: gets the items of a batch in order, and returns as many results. What it raises
                   fails every request of the batch.
    """

    def __init__(
        self, invoke: Callable[[List[T]], Awaitable[List[R]]], limits: BatchLimits
    ) -> None:
        self._invoke = invoke
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        # Ordered by turn: whoever comes first has gone longest without.
        self._clients: OrderedDict[Hashable, _Client] = OrderedDict()
        self._kinds: Dict[Hashable, _Kind] = {}
        self._queued_rows = 0
        self._queued_bytes = 0
        self._in_flight_rows = 0
        self._running: Set[_Batch] = set()
        self._dispatch_is_due = False
        self._timer: Optional[asyncio.TimerHandle] = None
        self._mean_seconds: Optional[float] = None
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def load(self) -> BatcherLoad:
        """What waits and what runs now."""
        return BatcherLoad(
            self._queued_rows, self._queued_bytes, self._in_flight_rows, len(self._running)
        )

    async def submit(
        self,
        item: T,
        *,
        client: Hashable,
        key: Hashable,
        rows: int,
        size: int = 0,
        deadline: Optional[float] = None,
    ) -> R:
        """
        Has an item run in a batch.

        :param client: whose request it is; clients take turns.
        :param key: only items with equal keys share a batch.
        :param rows: how much of a batch it takes, between 1 and ``max_batch_rows``.
        :param size: bytes that it holds while it waits.
        :param deadline: when it is not wanted any more, by the loop's clock.
        :raises ValueError: ``rows`` is out of range.
        :raises QueueFullError: there is no room, or another client was given it.
        :raises DeadlinePassedError: the deadline passed before the result was there.
        :raises BatchFailedError: the invocation failed.
        :raises BatcherClosedError: the batcher is, or was meanwhile, closed.
        """
        most = self._limits.max_batch_rows
        if not 1 <= rows <= most:
            raise ValueError(f"a request must have 1 to {most} rows, got {rows}")
        if self._closed:
            raise BatcherClosedError
        if deadline is not None and deadline <= self._loop.time():
            raise DeadlinePassedError
        self._make_room(client, rows, size)
        request = _Request(item, client, key, rows, size, self._loop)
        self._enqueue(request)
        timer = None
        if deadline is not None:
            timer = self._loop.call_at(deadline, _fail, request, DeadlinePassedError())
        try:
            result: R = await request.future
            return result
        finally:
            if timer is not None:
                timer.cancel()
            self._let_go(request)

    async def drain(self, grace: float) -> None:
        """
        Takes no more requests, runs those that it has without delay, and returns when all are
        answered.

        :param grace: seconds after which what still waits or runs is given up.
        """
        self._closed = True
        self._dispatch_soon()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._idle.wait(), grace)
        for kind in list(self._kinds.values()):
            for request in list(kind.requests):
                self._withdraw(request)
                _fail(request, BatcherClosedError())
        tasks = {batch.task for batch in self._running if batch.task is not None}
        for batch in self._running:
            for request in batch.requests:
                _fail(request, BatcherClosedError())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)
        if self._timer is not None:
            self._timer.cancel()

    # The queue ----------------------------------------------------------------------------------

    def _make_room(self, client: Hashable, rows: int, size: int) -> None:
        displaced = self._whom_to_displace(client, rows, size)
        if displaced is None:
            raise QueueFullError(self._retry_after())
        for request in displaced:
            self._withdraw(request)
            _fail(request, QueueFullError(self._retry_after()))

    def _whom_to_displace(self, client: Hashable, rows: int, size: int) -> Optional[List[_Request]]:
        """Whose places a new request may have; None if it must not have any."""
        if self._fits(self._queued_rows + rows, self._queued_bytes + size):
            return []
        oldest_first = {
            name: sorted(other.requests(), key=lambda request: request.arrival)
            for name, other in self._clients.items()
        }
        left = {name: other.rows for name, other in self._clients.items()}
        own = left.get(client, 0) + rows
        displaced: List[_Request] = []
        freed_rows = freed_bytes = 0
        while not self._fits(
            self._queued_rows + rows - freed_rows, self._queued_bytes + size - freed_bytes
        ):
            heaviest = max(left, key=lambda name: left[name])
            newest = oldest_first[heaviest].pop()
            left[heaviest] -= newest.rows
            if heaviest == client or left[heaviest] < own:
                # The two clients would only swap their roles.
                return None
            displaced.append(newest)
            freed_rows += newest.rows
            freed_bytes += newest.size
        return displaced

    def _fits(self, rows: int, size: int) -> bool:
        if not self._clients:
            return True
        return rows <= self._limits.max_queue_rows and size <= self._limits.max_queue_bytes

    def _retry_after(self) -> float:
        if self._mean_seconds is None:
            return _FIRST_RETRY_AFTER_SECONDS
        batches = self._queued_rows / self._limits.max_batch_rows
        seconds = batches * self._mean_seconds / self._limits.max_concurrent_batches
        return min(max(seconds, _MIN_RETRY_AFTER_SECONDS), _MAX_RETRY_AFTER_SECONDS)

    def _enqueue(self, request: _Request) -> None:
        client = self._clients.get(request.client)
        if client is None:
            client = self._clients[request.client] = _Client()
        client.queues.setdefault(request.key, OrderedDict())[request] = None
        client.rows += request.rows
        kind = self._kinds.setdefault(request.key, _Kind(request.key))
        kind.requests[request] = None
        kind.rows += request.rows
        self._queued_rows += request.rows
        self._queued_bytes += request.size
        self._idle.clear()
        self._dispatch_soon()

    def _withdraw(self, request: _Request) -> None:
        client = self._clients[request.client]
        queue = client.queues[request.key]
        del queue[request]
        client.rows -= request.rows
        if not queue:
            del client.queues[request.key]
            if not client.queues:
                del self._clients[request.client]
        kind = self._kinds[request.key]
        del kind.requests[request]
        kind.rows -= request.rows
        if not kind.requests:
            del self._kinds[request.key]
        self._queued_rows -= request.rows
        self._queued_bytes -= request.size

    def _is_queued(self, request: _Request) -> bool:
        kind = self._kinds.get(request.key)
        return kind is not None and request in kind.requests

    def _let_go(self, request: _Request) -> None:
        """The caller has its answer, or does not wait for one any more."""
        if self._is_queued(request):
            self._withdraw(request)
            self._settle()
        elif request.batch is not None:
            batch, request.batch = request.batch, None
            batch.wanted -= 1
            if batch.wanted == 0 and batch.task is not None:
                batch.task.cancel()

    def _settle(self) -> None:
        if not self._kinds and not self._running:
            self._idle.set()

    # Batches ------------------------------------------------------------------------------------

    def _dispatch_soon(self) -> None:
        # Not at once: requests that arrive in the same turn of the loop share a batch.
        if not self._dispatch_is_due:
            self._dispatch_is_due = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._dispatch_is_due = False
        while self._kinds and len(self._running) < self._limits.max_concurrent_batches:
            kind = self._next_kind()
            if kind is None:
                self._wait_for_the_oldest()
                return
            self._start(_Batch(self._take(kind.key)))

    def _next_kind(self) -> Optional[_Kind]:
        """The kind of which a batch may start: that of the first client in turn that has one."""
        now = self._loop.time()
        ready = {
            key
            for key, kind in self._kinds.items()
            if self._closed or kind.rows >= self._limits.max_batch_rows or self._due(kind) <= now
        }
        if not ready:
            return None
        for client in self._clients.values():
            heads = [next(iter(queue)) for key, queue in client.queues.items() if key in ready]
            if heads:
                return self._kinds[min(heads, key=lambda request: request.arrival).key]
        raise AssertionError("a kind of request is of no client")

    def _take(self, key: Hashable) -> List[_Request]:
        taken: List[_Request] = []
        room = self._limits.max_batch_rows
        in_turn = [name for name, client in self._clients.items() if key in client.queues]
        while in_turn and room > 0:
            again = []
            for name in in_turn:
                request = next(iter(self._clients[name].queues[key]))
                if request.rows > room:
                    continue
                room -= request.rows
                taken.append(request)
                self._withdraw(request)
                client = self._clients.get(name)
                if client is not None:
                    self._clients.move_to_end(name)
                    if key in client.queues:
                        again.append(name)
            in_turn = again
        return taken

    def _wait_for_the_oldest(self) -> None:
        due = min(self._due(kind) for kind in self._kinds.values())
        if self._timer is not None:
            if not self._timer.cancelled() and self._timer.when() == due:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(due, self._on_timer)

    def _due(self, kind: _Kind) -> float:
        return next(iter(kind.requests)).arrival + self._limits.max_delay

    def _on_timer(self) -> None:
        self._timer = None
        self._dispatch_soon()

    def _start(self, batch: _Batch) -> None:
        for request in batch.requests:
            request.batch = batch
        self._running.add(batch)
        self._in_flight_rows += batch.rows
        batch.task = self._loop.create_task(self._run(batch))
        # Not in _run(): a task that is cancelled before its first step never enters it.
        batch.task.add_done_callback(lambda _: self._end(batch))

    async def _run(self, batch: _Batch) -> None:
        started = self._loop.time()
        try:
            results = await self._invoke([request.item for request in batch.requests])
            if len(results) != len(batch.requests):
                raise RuntimeError(
                    f"{len(batch.requests)} requests were invoked, and {len(results)} answered"
                )
        except GeneratorExit:
            raise
        except BaseException as error:
            # Also CancelledError: whether it comes from drain() or from user code, nobody may be
            # left waiting. Those that nobody waits for are done already.
            for request in batch.requests:
                _fail(request, BatchFailedError(error))
        else:
            for request, result in zip(batch.requests, results):
                if not request.future.done():
                    request.future.set_result(result)
            self._learn(self._loop.time() - started)

    def _end(self, batch: _Batch) -> None:
        self._running.discard(batch)
        self._in_flight_rows -= batch.rows
        self._settle()
        self._dispatch_soon()

    def _learn(self, seconds: float) -> None:
        mean = self._mean_seconds
        self._mean_seconds = seconds if mean is None else mean + _NEWEST_WEIGHT * (seconds - mean)


def _fail(request: _Request, error: Exception) -> None:
    if not request.future.done():
        request.future.set_exception(error)
