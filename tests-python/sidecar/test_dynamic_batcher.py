"""Which requests share a batch, who comes first, and how each of them ends. In virtual time."""

import asyncio
from typing import Any, Dict, List, Optional, Tuple

import pytest
import virtual_time
from hypothesis import given, settings
from hypothesis import strategies as st
from pyflink_async_batch._batching.dynamic_batcher import (
    BatcherClosedError,
    BatchFailedError,
    BatchLimits,
    DeadlinePassedError,
    DynamicBatcher,
    QueueFullError,
)


def limits(
    max_batch_rows: int = 8,
    max_delay: float = 0.0,
    max_concurrent_batches: int = 1,
    max_queue_rows: int = 100,
    max_queue_bytes: int = 10**6,
) -> BatchLimits:
    return BatchLimits(
        max_batch_rows, max_delay, max_concurrent_batches, max_queue_rows, max_queue_bytes
    )


class Model:
    """Records its batches, with the times at which they began; answers an item with itself."""

    def __init__(self, seconds: float = 1.0) -> None:
        self.seconds = seconds
        self.batches: List[List[Any]] = []
        self.times: List[float] = []
        self.running = 0
        self.most_running = 0
        self.cancelled = 0

    async def invoke(self, items: List[Any]) -> List[Any]:
        self.batches.append(items)
        self.times.append(asyncio.get_running_loop().time())
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        return items


class Clients:
    """Submits requests and keeps their outcomes."""

    def __init__(self, bounds: BatchLimits, model: Optional[Model] = None) -> None:
        self.model = model or Model()
        self.batcher: DynamicBatcher[Any, Any] = DynamicBatcher(self.model.invoke, bounds)
        self.tasks: List[asyncio.Task[Any]] = []

    def send(self, item: Any, client: Any = "a", rows: int = 1, **others: Any) -> Any:
        others.setdefault("key", None)
        task = asyncio.get_running_loop().create_task(
            self.batcher.submit(item, client=client, rows=rows, **others)
        )
        self.tasks.append(task)
        return task

    async def outcomes(self) -> List[Any]:
        return await asyncio.gather(*self.tasks, return_exceptions=True)


def test_requests_of_one_turn_share_a_batch() -> None:
    async def run() -> None:
        clients = Clients(limits(max_concurrent_batches=4))
        for item in range(5):
            clients.send(item, client=item)
        assert await clients.outcomes() == [0, 1, 2, 3, 4]
        assert clients.model.batches == [[0, 1, 2, 3, 4]]

    virtual_time.run(run())


def test_a_batch_starts_when_it_is_full() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=4, max_delay=10, max_concurrent_batches=2))
        for item in range(4):
            clients.send(item)
        await clients.outcomes()
        assert clients.model.times == [0.0]

    virtual_time.run(run())


def test_a_partial_batch_starts_when_its_oldest_request_has_waited() -> None:
    async def run() -> None:
        clients = Clients(limits(max_delay=10))
        clients.send("first")
        await asyncio.sleep(4)
        clients.send("second")
        assert await clients.outcomes() == ["first", "second"]
        assert clients.model.batches == [["first", "second"]]
        assert clients.model.times == [10.0]

    virtual_time.run(run())


def test_requests_with_other_keys_have_batches_of_their_own() -> None:
    async def run() -> None:
        clients = Clients(limits(max_concurrent_batches=2))
        for item in range(4):
            clients.send(item, key=item % 2)
        await clients.outcomes()
        assert sorted(clients.model.batches) == [[0, 2], [1, 3]]

    virtual_time.run(run())


def test_no_more_batches_run_than_are_allowed() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=1, max_concurrent_batches=3))
        for item in range(10):
            clients.send(item)
        assert await clients.outcomes() == list(range(10))
        assert clients.model.most_running == 3

    virtual_time.run(run())


def test_clients_take_turns() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=2))
        for item in range(6):
            clients.send(("greedy", item), client="greedy")
        clients.send(("modest", 0), client="modest")
        await clients.outcomes()
        assert clients.model.batches[0] == [("greedy", 0), ("modest", 0)]

    virtual_time.run(run())


def test_a_client_whose_request_does_not_fit_keeps_its_turn() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=4))
        clients.send("small", client="a", rows=1)
        clients.send("large", client="b", rows=4)
        clients.send("small again", client="a", rows=1)
        await clients.outcomes()
        assert clients.model.batches == [["small", "small again"], ["large"]]

    virtual_time.run(run())


def test_a_backlog_of_one_kind_does_not_keep_another_waiting() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=1))
        for item in range(5):
            clients.send(("greedy", item), client="greedy", key="x")
        clients.send("modest", client="modest", key="y")
        await clients.outcomes()
        assert clients.model.batches[1] == ["modest"]

    virtual_time.run(run())


def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=4, max_queue_rows=8))
        clients.send("measured")
        await clients.outcomes()
        for item in range(12):
            clients.send(item)
            await asyncio.sleep(0)
        refused = clients.send("one too many")
        outcomes = await clients.outcomes()
        error = outcomes[-1]
        assert refused.done()
        assert isinstance(error, QueueFullError)
        # Two batches of a second each wait.
        assert error.retry_after == pytest.approx(2.0)

    virtual_time.run(run())


def test_a_full_queue_has_room_for_a_client_that_has_less_in_it() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=1, max_queue_rows=4))
        clients.send("running", client="greedy")
        await asyncio.sleep(0.5)
        greedy = [clients.send(item, client="greedy") for item in range(4)]
        await asyncio.sleep(0)
        modest = clients.send("modest", client="modest")
        assert await modest == "modest"
        await clients.outcomes()
        # The newest made room; what came earlier keeps its place.
        assert [type(task.exception()) for task in greedy] == [type(None)] * 3 + [QueueFullError]

    virtual_time.run(run())


def test_clients_with_as_much_in_the_queue_displace_nobody() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=1, max_queue_rows=2))
        clients.send("running", client="a")
        await asyncio.sleep(0.5)
        clients.send("b", client="b")
        clients.send("c", client="c")
        await asyncio.sleep(0)
        clients.send("d", client="d")
        outcomes = await clients.outcomes()
        assert outcomes[:3] == ["running", "b", "c"]
        assert isinstance(outcomes[3], QueueFullError)

    virtual_time.run(run())


def test_a_request_that_cannot_have_room_displaces_nobody() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=4, max_queue_rows=5))
        clients.send("running", client="a")
        await asyncio.sleep(0.5)
        for item in range(5):
            clients.send(item, client="b", key=item)
        await asyncio.sleep(0)
        clients.send("large", client="c", rows=4)
        outcomes = await clients.outcomes()
        assert outcomes[1:6] == [0, 1, 2, 3, 4]
        assert isinstance(outcomes[6], QueueFullError)

    virtual_time.run(run())


def test_bytes_are_bounded_and_a_request_that_is_too_heavy_waits_alone() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=1, max_queue_bytes=100))
        clients.send("running")
        await asyncio.sleep(0.5)
        clients.send("heavy", size=1000)
        await asyncio.sleep(0)
        clients.send("light", size=1)
        outcomes = await clients.outcomes()
        assert outcomes[:2] == ["running", "heavy"]
        assert isinstance(outcomes[2], QueueFullError)

    virtual_time.run(run())


@pytest.mark.parametrize("rows", [0, -1, 9])
def test_a_request_has_as_many_rows_as_a_batch_can(rows: int) -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=8))
        with pytest.raises(ValueError, match=f"1 to 8 rows, got {rows}"):
            await clients.send("item", rows=rows)
        assert clients.model.batches == []

    virtual_time.run(run())


def test_a_deadline_in_the_queue() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=1))
        clients.send("running")
        late = clients.send("late", deadline=0.5)
        with pytest.raises(DeadlinePassedError):
            await late
        assert asyncio.get_running_loop().time() == 0.5
        assert clients.batcher.load.queued_rows == 0
        await clients.outcomes()
        assert clients.model.batches == [["running"]]
        with pytest.raises(DeadlinePassedError):
            await clients.send("too late", deadline=0.7)

    virtual_time.run(run())


def test_a_deadline_of_a_running_request_leaves_the_others_alone() -> None:
    async def run() -> None:
        clients = Clients(limits())
        clients.send("late", deadline=0.5)
        clients.send("patient")
        outcomes = await clients.outcomes()
        assert isinstance(outcomes[0], DeadlinePassedError)
        assert outcomes[1] == "patient"
        assert clients.model.cancelled == 0

    virtual_time.run(run())


def test_a_cancelled_request_leaves_the_queue() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=1))
        clients.send("running")
        gone = clients.send("gone", rows=1, size=10)
        await asyncio.sleep(0.5)
        gone.cancel()
        await asyncio.wait({gone})
        assert clients.batcher.load.queued_rows == clients.batcher.load.queued_bytes == 0
        await clients.outcomes()
        assert clients.model.batches == [["running"]]

    virtual_time.run(run())


def test_a_batch_is_cancelled_when_nobody_wants_it() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=2))
        first, second = clients.send(1), clients.send(2)
        clients.send("next")
        await asyncio.sleep(0.25)
        first.cancel()
        await asyncio.sleep(0.25)
        assert clients.model.cancelled == 0
        second.cancel()
        await clients.outcomes()
        assert clients.model.cancelled == 1
        # Its place was free at once.
        assert clients.model.times == [0.0, 0.5]

    virtual_time.run(run())


def test_a_batch_that_is_cancelled_before_it_runs_gives_its_place_back() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=1))
        gone = clients.send("gone")
        # One turn for the request, one for its batch's task, which has not run then.
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert (clients.batcher.load.in_flight_batches, clients.model.batches) == (1, [])
        gone.cancel()
        assert await clients.send("next") == "next"
        assert clients.batcher.load.in_flight_rows == 0

    virtual_time.run(run())


@pytest.mark.parametrize("error", [ValueError("boom"), asyncio.CancelledError(), SystemExit(3)])
def test_a_failure_is_told_to_every_request(error: BaseException) -> None:
    class Fails(Model):
        async def invoke(self, items: List[Any]) -> List[Any]:
            raise error

    async def run() -> None:
        clients = Clients(limits(), Fails())
        clients.send(1)
        clients.send(2)
        outcomes = await clients.outcomes()
        assert [outcome.error for outcome in outcomes] == [error, error]
        assert outcomes[0] is not outcomes[1]
        assert isinstance(outcomes[0], BatchFailedError)

    virtual_time.run(run())


def test_results_that_are_not_one_for_each_request() -> None:
    class Short(Model):
        async def invoke(self, items: List[Any]) -> List[Any]:
            return items[1:]

    async def run() -> None:
        clients = Clients(limits(), Short())
        clients.send(1)
        clients.send(2)
        outcomes = await clients.outcomes()
        assert all("2 requests" in str(outcome.error) for outcome in outcomes)

    virtual_time.run(run())


def test_draining_runs_what_waits_without_delay() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=2, max_delay=60))
        for item in range(3):
            clients.send(item)
        await asyncio.sleep(0)
        await clients.batcher.drain(grace=10)
        assert asyncio.get_running_loop().time() == 2.0
        assert await clients.outcomes() == [0, 1, 2]
        with pytest.raises(BatcherClosedError):
            await clients.send("late")

    virtual_time.run(run())


def test_draining_gives_up_what_takes_too_long() -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=1), Model(seconds=100))
        clients.send("running")
        clients.send("waiting")
        await asyncio.sleep(0)
        await clients.batcher.drain(grace=5)
        outcomes = await clients.outcomes()
        assert [type(outcome) for outcome in outcomes] == [BatcherClosedError] * 2
        assert clients.model.cancelled == 1
        assert clients.batcher.load.in_flight_batches == 0

    virtual_time.run(run())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_batch_rows", 0),
        ("max_delay", -1),
        ("max_delay", float("nan")),
        ("max_delay", float("inf")),
        ("max_concurrent_batches", 0),
        ("max_queue_rows", 7),
        ("max_queue_bytes", 0),
    ],
)
def test_limits_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at least .*, got {value}"):
        limits(**{name: value})  # type: ignore[arg-type]


# One request: when it is sent, by whom, its kind and rows, and when it is given up, if at all.
_requests = st.tuples(
    st.integers(0, 20).map(lambda tenths: tenths / 10),
    st.sampled_from("abc"),
    st.sampled_from("xy"),
    st.integers(1, 4),
    st.one_of(st.none(), st.integers(1, 30).map(lambda tenths: tenths / 10)),
    st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(_requests, max_size=25),
    st.integers(4, 8),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(1, 3),
    st.integers(8, 20),
)
def test_every_request_has_exactly_one_outcome(
    requests: List[Tuple[float, str, str, int, Optional[float], bool]],
    max_batch_rows: int,
    max_delay: float,
    max_concurrent_batches: int,
    max_queue_rows: int,
) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        bounds = limits(max_batch_rows, max_delay, max_concurrent_batches, max_queue_rows)
        clients = Clients(bounds, Model(seconds=0.5))
        sizes = {index: request[3] for index, request in enumerate(requests)}

        async def live(index: int) -> Any:
            at, client, key, rows, patience, by_deadline = requests[index]
            await asyncio.sleep(at)
            deadline = loop.time() + patience if patience and by_deadline else None
            task = clients.send(index, client=client, key=key, rows=rows, deadline=deadline)
            if patience and not by_deadline:
                loop.call_later(patience, task.cancel)
            (outcome,) = await asyncio.gather(task, return_exceptions=True)
            load = clients.batcher.load
            assert 0 <= load.queued_rows <= max_queue_rows
            assert load.in_flight_batches <= max_concurrent_batches
            return outcome

        outcomes = await asyncio.gather(*map(live, range(len(requests))))
        await clients.batcher.drain(grace=60)
        invoked = [item for batch in clients.model.batches for item in batch]
        assert len(invoked) == len(set(invoked)), "a request ran twice"
        for index, outcome in enumerate(outcomes):
            if isinstance(outcome, QueueFullError):
                assert index not in invoked
            elif isinstance(outcome, BaseException):
                assert requests[index][4] is not None
                assert isinstance(outcome, (DeadlinePassedError, asyncio.CancelledError))
            else:
                assert outcome == index
        for batch in clients.model.batches:
            assert len({requests[index][2] for index in batch}) == 1
            assert sum(sizes[index] for index in batch) <= max_batch_rows
        assert clients.model.most_running <= max_concurrent_batches
        order: Dict[Tuple[str, str], List[int]] = {}
        for index in invoked:
            order.setdefault(requests[index][1:3], []).append(index)
        for indexes in order.values():
            arrivals = [requests[index][0] for index in indexes]
            assert arrivals == sorted(arrivals), "a client's requests of a kind changed places"
        load = clients.batcher.load
        assert (load.queued_rows, load.queued_bytes, load.in_flight_rows) == (0, 0, 0)

    virtual_time.run(run())


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 12), min_size=2),
    st.integers(1, 8),
)
def test_no_client_is_served_twice_before_another_that_waits(
    backlog: Dict[str, int], max_batch_rows: int
) -> None:
    async def run() -> None:
        clients = Clients(limits(max_batch_rows=max_batch_rows))
        for client, count in backlog.items():
            for _ in range(count):
                clients.send(client, client=client)
        await clients.outcomes()
        left = dict(backlog)
        turns = dict.fromkeys(backlog, 0)
        for batch in clients.model.batches:
            for client in batch:
                left[client] -= 1
                turns[client] += 1
                waiting = [turns[other] for other in left if left[other]]
                assert not waiting or turns[client] <= min(waiting) + 1

    virtual_time.run(run())
